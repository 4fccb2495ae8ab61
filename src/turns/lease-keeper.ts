import { fenced, isFenced, storageFailed } from "../errors.ts";
import type { Log } from "../log.ts";
import type { LeaseTerms } from "../store/lease.ts";
import type { Store } from "../store/store.ts";
import { NODE_TIMERS, type Timer, type Timers } from "../stream/timers.ts";

/** How often it is looked for others who are gone, at least: what they ran is LOST soon behind the end of their lease. */
const LOOK_MS = 1000;

/** What follows from how leases stand. */
export interface LeaseConsequences {
  /** Everything that agents do here has to end: others may take this server for gone, or have. */
  stopAll(why: Error): void;
  /** The lease was renewed: agents may begin again where they were stopped for want of that. */
  allowAll(): void;
  /** Others have taken this server for gone: nothing can be recorded here any more. Called once. */
  fenced(): void;
  /** Ends what a server left. None of its leases holds. @returns What resolves when the store was asked to record the ends. */
  takeOver(owner: string): Promise<Promise<unknown>[]>;
}

/**
 * Keeps this server's lease, and sees to what others leave whose lease ran out. Does nothing where leases do not run out.
 *
 * 1. Who cannot renew his lease for its grace stops his agents, by a clock of his own; who hears that it has ended, at once.
 *    None begins until the lease is renewed: a store that answers again is no proof that it still holds.
 * 2. Another server is fenced first, and then what it left is read: nothing is added to that any more.
 * 3. Nobody is taken for gone before this server has itself renewed its lease for a lease's time: a store that was away has
 *    kept all of them from it.
 */
export class LeaseKeeper {
  readonly #store: Store;
  readonly #log: Log;
  readonly #consequences: LeaseConsequences;
  readonly #timers: Timers;
  readonly #over = new AbortController();
  #grace: Timer | undefined;
  #renewedAt: number;
  /** Since when its own lease was never without renewal for so long that others' could have run out. */
  #steadySince: number;

  constructor(store: Store, log: Log, consequences: LeaseConsequences, timers = NODE_TIMERS) {
    this.#store = store;
    this.#log = log;
    this.#consequences = consequences;
    this.#timers = timers;
    this.#renewedAt = timers.now();
    this.#steadySince = timers.now();
  }

  /**
   * Renews the lease, which may have run out before it was told to be there, and keeps it from then on.
   *
   * @throws Refusal FENCED where it has ended; STORAGE.
   */
  async start(): Promise<void> {
    const { terms, epoch } = this.#store.lease;
    if (terms === undefined) return;
    const asked = this.#timers.now();
    await this.#store.renewLease(epoch);
    this.#renewed(terms, asked);
    void this.#every(terms.renewMs, () => this.#renew(terms));
    void this.#every(Math.min(terms.renewMs, LOOK_MS), () => this.#lookAfterOthers(terms));
  }

  /** From now on nothing is renewed. Idempotent. */
  stop(): void {
    this.#over.abort();
    this.#timers.clear(this.#grace);
  }

  /**
   * Whether a server is gone, as far as may be said now. What it left has ended then, as far as the store took that.
   *
   * @throws Refusal STORAGE, FENCED.
   */
  async takeOver(owner: string): Promise<boolean> {
    const { terms, epoch, owner: own } = this.#store.lease;
    if (terms === undefined || owner === own || !this.#isSteady(terms)) return false; // 3.
    if (!(await this.#store.fence(owner, epoch))) return false;
    await Promise.all(await this.#consequences.takeOver(owner)); // 2.
    return true;
  }

  /** Neither waits for the other: what takes long is not to cost the lease. */
  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    let took = 0;
    while (!signal.aborted) {
      await this.#timers.delay(Math.max(0, ms - took), { signal, ref: false }).catch(() => {});
      const begun = this.#timers.now();
      if (!signal.aborted) await work();
      took = this.#timers.now() - begun;
    }
  }

  async #renew(terms: LeaseTerms): Promise<void> {
    const asked = this.#timers.now();
    try {
      await this.#store.renewLease(this.#store.lease.epoch);
      this.#renewed(terms, asked);
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#log.error("the server's lease cannot be renewed", { error });
      if (!isFenced(error)) return;
      this.stop();
      this.#consequences.stopAll(fenced()); // 1.
      this.#consequences.fenced();
    }
  }

  /** @param since - When it was asked for: it may have taken long to be answered. */
  #renewed(terms: LeaseTerms, since: number): void {
    this.#timers.clear(this.#grace);
    if (this.#over.signal.aborted) return;
    const { graceMs } = terms;
    const now = this.#timers.now();
    if (isGap(terms, now - this.#renewedAt)) this.#steadySince = now;
    this.#renewedAt = now;
    const stop = () => {
      const why = `the server's lease could not be renewed for ${graceMs / 1000} s`;
      this.#consequences.stopAll(storageFailed(why)); // 1.
    };
    const left = graceMs - (now - since);
    // The time was up before it was answered. The next renewal is due, and says how it stands.
    if (left <= 0) {
      stop();
      return;
    }
    this.#consequences.allowAll();
    this.#grace = this.#timers.setTimeout(stop, left);
    this.#grace.unref();
  }

  async #lookAfterOthers(terms: LeaseTerms): Promise<void> {
    const { lease } = this.#store;
    try {
      for (const owner of await this.#store.listAway()) {
        if (!this.#isSteady(terms)) return; // 3.
        const isGone = await this.#store.fence(owner, lease.epoch);
        if (isGone) await this.#consequences.takeOver(owner); // 2.
      }
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#log.warn("what other servers left cannot be taken over", { error });
    }
  }

  #isSteady(terms: LeaseTerms): boolean {
    const now = this.#timers.now();
    return !isGap(terms, now - this.#renewedAt) && now - this.#steadySince >= terms.leaseMs;
  }
}

/** Whether a lease that was not renewed for so long may have run out before the next renewal. */
function isGap({ leaseMs, renewMs }: LeaseTerms, ms: number): boolean {
  return ms > leaseMs - renewMs;
}
