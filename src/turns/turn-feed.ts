import type { TurnChanges } from "../store/records.ts";
import type { Store } from "../store/store.ts";

/** So many changes are read at once. */
const PAGE = 100;
/** So many pieces are kept for others who come to them: those who watch stand at one place, but for who comes back. */
const MOST_KEPT = 4;

/**
 * The changes of all turns, read once for all who watch, whatever each of them may see.
 *
 * 1. What was read from a cursor on is kept until something happens, and given to all who stand there.
 * 2. Who listens and then reads misses nothing: what was asked for before something happened is given to nobody who asks
 *    after it.
 * 3. Nothing is held while nobody listens.
 * 4. Who may see what is as it was when it was read: `withdrawals` tells that it may be so no more.
 */
export class TurnFeed {
  readonly #store: Store;
  readonly #listeners = new Set<() => void>();
  readonly #read = new Map<string, Promise<TurnChanges>>();
  #stopListening: (() => void) | undefined;
  #withdrawals = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Calls a listener when something has happened.
   *
   * @returns Ends the calls. Idempotent.
   */
  listen(listener: () => void): () => void {
    // One of its own: the same function may listen twice.
    const call = () => listener();
    this.#listeners.add(call);
    this.#stopListening ??= this.#listenToStore();
    return () => {
      this.#listeners.delete(call);
      if (this.#listeners.size > 0) return;
      this.#stopListening?.();
      this.#stopListening = undefined;
      this.#read.clear(); // 3.
    };
  }

  /** How often sessions have ceased to be shared with somebody while somebody listened. */
  get withdrawals(): number {
    return this.#withdrawals;
  }

  /** As `Store.listTurnChanges`; to be asked by who listens. What it gives must not be changed. */
  changesAfter(cursor: number): Promise<TurnChanges> {
    return this.#shared(`changes ${cursor}`, () => this.#store.listTurnChanges(cursor, PAGE));
  }

  /** Likewise, as `Store.listStandingChanges`. */
  standingAfter(cursor: number): Promise<TurnChanges> {
    return this.#shared(`standing ${cursor}`, () => this.#store.listStandingChanges(cursor, PAGE));
  }

  #listenToStore(): () => void {
    const { changes } = this.#store;
    const stopTurns = changes.listenToTurns(this.#tell);
    const stopWithdrawals = changes.listenToWithdrawals(() => {
      this.#withdrawals++; // 4.
      this.#read.clear();
    });
    return () => {
      stopTurns();
      stopWithdrawals();
    };
  }

  readonly #tell = (): void => {
    this.#read.clear(); // 2.
    for (const listener of this.#listeners) listener();
  };

  // 1.
  #shared(place: string, read: () => Promise<TurnChanges>): Promise<TurnChanges> {
    const known = this.#read.get(place);
    if (known !== undefined) return known;
    const reading = read();
    this.#read.set(place, reading);
    reading.catch(() => this.#forget(place, reading));
    const [oldest] = this.#read.keys();
    if (this.#read.size > MOST_KEPT && oldest !== undefined) this.#read.delete(oldest);
    return reading;
  }

  #forget(place: string, reading: Promise<TurnChanges>): void {
    if (this.#read.get(place) === reading) this.#read.delete(place);
  }
}
