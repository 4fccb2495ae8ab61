import type { AuditEntry } from "../audit/entry.ts";
import type { Store } from "../store/store.ts";
import { byDeadline } from "../stream/deadline.ts";

/** How old an answer of the store may be: whoever asks more often costs it nothing. */
const FRESH_MS = 2000;
/** How long the store may take for a write before it counts as one that takes none. */
const WRITE_MS = 5000;

/** Whether a server takes new turns: it does not while it drains, or while its store takes no writes. */
export class Serving {
  readonly #store: Store;
  readonly #closing: AbortSignal;
  readonly #audit: readonly AuditEntry[];
  #takesWrites: Promise<boolean> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param closing - When it aborts the server takes no new turns any more.
   * @param audit - What goes on the audit chain with a turn, as it is to be tried.
   */
  constructor(store: Store, closing: AbortSignal, audit: readonly AuditEntry[]) {
    this.#store = store;
    this.#closing = closing;
    this.#audit = audit;
  }

  /** Whether it takes no new turns for good. */
  get isDraining(): boolean {
    return this.#closing.aborted;
  }

  /** Whether it does now; the store is asked at most every two seconds. */
  async isServing(): Promise<boolean> {
    return (await this.takesWrites()) && !this.isDraining;
  }

  /** Whether the store takes all that a turn writes; it is asked at most every two seconds. Answers within five, and never rejects. */
  takesWrites(): Promise<boolean> {
    if (this.#takesWrites !== undefined && performance.now() - this.#askedAt < FRESH_MS) {
      return this.#takesWrites;
    }
    this.#askedAt = performance.now();
    const written = this.#store.checkWritable(this.#audit, this.#store.lease.epoch).then(
      () => true,
      () => false,
    );
    this.#takesWrites = byDeadline(written, WRITE_MS, false, false);
    return this.#takesWrites;
  }

  /** Whether it does now, and each change of that, within some two seconds, until `signal` aborts. */
  async *changes(signal: AbortSignal): AsyncGenerator<boolean, void> {
    let told: boolean | undefined;
    while (!signal.aborted) {
      const is = await this.isServing();
      if (signal.aborted) return;
      if (is !== told) yield is;
      told = is;
      await this.#nextLook(signal);
    }
  }

  /** Resolves when there may be something new, or nobody asks any more. */
  async #nextLook(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    // Once it drains nothing changes any more.
    const isLast = this.#closing.aborted;
    const timer = isLast ? undefined : setTimeout(wake, FRESH_MS).unref();
    for (const one of isLast ? [signal] : [signal, this.#closing])
      one.addEventListener("abort", wake);
    if (signal.aborted) wake();
    await promise;
    clearTimeout(timer);
    for (const one of [signal, this.#closing]) one.removeEventListener("abort", wake);
  }
}
