import type { Changes } from "./changes.ts";

/** What looks for what is written elsewhere, while somebody listens. */
export interface Outside {
  /** Somebody listens, and nobody did before. */
  listened(changes: LocalChanges): void;
  /** Nobody listens any more. */
  unlistened(): void;
}

/** Of a file: nobody but this process writes to it, so that what it has written is all there is. */
const NOTHING_OUTSIDE: Outside = { listened() {}, unlistened() {} };

/** The news of what this process has written, and of what is found outside of it. */
export class LocalChanges implements Changes {
  readonly #ofSessions: KeyedListeners;
  readonly #ofTurns: KeyedListeners;
  readonly #ofAll: KeyedListeners;
  readonly #ofWithdrawals: KeyedListeners;
  #listeners = 0;

  constructor(outside: Outside = NOTHING_OUTSIDE) {
    const count = (more: 1 | -1) => {
      this.#listeners += more;
      if (more === 1 && this.#listeners === 1) outside.listened(this);
      if (this.#listeners === 0) outside.unlistened();
    };
    this.#ofSessions = new KeyedListeners(count);
    this.#ofTurns = new KeyedListeners(count);
    this.#ofAll = new KeyedListeners(count);
    this.#ofWithdrawals = new KeyedListeners(count);
  }

  listenToSession(sessionKey: string, listener: () => void): () => void {
    return this.#ofSessions.add(sessionKey, listener);
  }

  listenToTurn(turnId: string, listener: () => void): () => void {
    return this.#ofTurns.add(turnId, listener);
  }

  listenToTurns(listener: () => void): () => void {
    return this.#ofAll.add("", listener);
  }

  listenToWithdrawals(listener: () => void): () => void {
    return this.#ofWithdrawals.add("", listener);
  }

  tellWithdrawal(): void {
    this.#ofWithdrawals.call("");
  }

  tellTurns(): void {
    this.#ofAll.call("");
  }

  tellSession(sessionKey: string): void {
    this.#ofSessions.call(sessionKey);
  }

  tellTurn(turnId: string): void {
    this.#ofTurns.call(turnId);
  }

  /** Calls everybody: it is not known what is new. */
  tellAll(): void {
    for (const listeners of [this.#ofSessions, this.#ofTurns, this.#ofAll, this.#ofWithdrawals]) {
      for (const key of listeners.keys()) listeners.call(key);
    }
  }

  /** Whether somebody listens to a turn. */
  isTurnHeard(turnId: string): boolean {
    return this.#ofTurns.has(turnId);
  }

  /** The turns that somebody listens to. */
  heardTurns(): string[] {
    return this.#ofTurns.keys();
  }
}

class KeyedListeners {
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #count: (more: 1 | -1) => void;

  /** @param count - Told of each listener that comes and goes. */
  constructor(count: (more: 1 | -1) => void) {
    this.#count = count;
  }

  has(key: string): boolean {
    return this.#listeners.has(key);
  }

  keys(): string[] {
    return [...this.#listeners.keys()];
  }

  add(key: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(key) ?? new Set();
    // One of its own: the same function may listen twice.
    const call = () => listener();
    this.#listeners.set(key, listeners.add(call));
    this.#count(1);
    return () => {
      if (!listeners.delete(call)) return;
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) {
        this.#listeners.delete(key);
      }
      this.#count(-1);
    };
  }

  call(key: string): void {
    for (const listener of this.#listeners.get(key) ?? []) listener();
  }
}
