/** A server's hold on the turns and processes that it records. */
export interface Lease {
  /** The server, over all its restarts: what is on its machine, workspaces and processes, is found by this name. */
  readonly owner: string;
  /** Higher than that of every lease before on the same store under which something was written. */
  readonly epoch: number;
  /** Undefined: it holds as long as the server has the store open, and nobody else can end it. */
  readonly terms: LeaseTerms | undefined;
}

/**
 * What keeps a lease. All are times in milliseconds, and `graceMs` and what it takes to stop an agent are less than `leaseMs`
 * together: who may be taken for gone has stopped by then.
 */
export interface LeaseTerms {
  /** How often it is renewed. */
  readonly renewMs: number;
  /** Who could not renew it for so long, by a clock of his own, stops his agents. */
  readonly graceMs: number;
  /** Who has not renewed it for so long, by the store's clock, may be taken for gone by others. */
  readonly leaseMs: number;
}

/**
 * The leases of all servers on a store.
 *
 * 1. A lease that ran out still holds: what ends it is the opening of the next one of the same server, its own closing, or
 *    `fence`. Each waits for what is being written under it, or has that refused.
 * 2. Who has fenced a server then reads what it left: nothing is written under its leases any more.
 */
export interface Leases {
  /** Has a lease hold for its time again from now on. FENCED where it has ended. */
  renewLease(epoch: number): Promise<void>;
  /** The servers whose lease ran out, and those without a lease of which turns without an end are on record. */
  listAway(): Promise<string[]>;
  /**
   * Ends the leases of a server that ran out. Answers whether it has none any more; false: it has renewed one in time.
   * FENCED where the lease of who asks has ended.
   */
  fence(owner: string, epoch: number): Promise<boolean>;
}
