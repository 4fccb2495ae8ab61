import { setTimeout as delay } from "node:timers/promises";
import { fenced, isFenced, storageFailed } from "../errors.ts";
import type { Log } from "../log.ts";
import type { LeaseTerms } from "../store/lease.ts";
import type { Store } from "../store/store.ts";

/** What follows from how leases stand. */
export interface LeaseConsequences {
  /** Everything that agents do here has to end: others may take this server for gone, or have. */
  stopAll(why: Error): void;
  /** Ends what a server left. None of its leases holds. */
  takeOver(owner: string): Promise<unknown>;
}

/**
 * Keeps this server's lease, and sees to what others leave whose lease ran out. Does nothing where leases do not run out.
 *
 * 1. Who cannot renew his lease for its grace stops his agents, by a clock of his own; who hears that it has ended, at once.
 * 2. Another server is fenced first, and then what it left is read: nothing is added to that any more.
 */
export class LeaseKeeper {
  readonly #store: Store;
  readonly #log: Log;
  readonly #consequences: LeaseConsequences;
  readonly #over = new AbortController();
  #grace: NodeJS.Timeout | undefined;

  constructor(store: Store, log: Log, consequences: LeaseConsequences) {
    this.#store = store;
    this.#log = log;
    this.#consequences = consequences;
  }

  start(): void {
    const { terms } = this.#store.lease;
    if (terms === undefined) return;
    this.#renewed(terms, performance.now());
    void this.#every(terms.renewMs, () => this.#renew(terms));
    void this.#every(terms.renewMs, () => this.#lookAfterOthers());
  }

  /** From now on nothing is renewed. Idempotent. */
  stop(): void {
    this.#over.abort();
    clearTimeout(this.#grace);
  }

  /** Neither waits for the other: what takes long is not to cost the lease. */
  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await delay(ms, undefined, { signal, ref: false }).catch(() => {});
      if (!signal.aborted) await work();
    }
  }

  async #renew(terms: LeaseTerms): Promise<void> {
    const asked = performance.now();
    try {
      await this.#store.renewLease(this.#store.lease.epoch);
      this.#renewed(terms, asked);
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#log.error("the server's lease cannot be renewed", { error });
      if (!isFenced(error)) return;
      this.stop();
      this.#consequences.stopAll(fenced()); // 1.
    }
  }

  /** @param since - When it was asked for: it may have taken long to be answered. */
  #renewed({ graceMs }: LeaseTerms, since: number): void {
    clearTimeout(this.#grace);
    if (this.#over.signal.aborted) return;
    const why = storageFailed(`the server's lease could not be renewed for ${graceMs / 1000} s`);
    const left = Math.max(0, graceMs - (performance.now() - since));
    this.#grace = setTimeout(() => this.#consequences.stopAll(why), left).unref(); // 1.
  }

  async #lookAfterOthers(): Promise<void> {
    try {
      for (const owner of await this.#store.listAway()) {
        if (await this.#store.fence(owner)) await this.#consequences.takeOver(owner); // 2.
      }
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#log.warn("what other servers left cannot be taken over", { error });
    }
  }
}
