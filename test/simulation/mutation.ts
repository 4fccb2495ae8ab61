import type { LeaseTerms } from "../../src/store/lease.ts";
import type { Store } from "../../src/store/store.ts";

/** What is made wrong on purpose, for a simulation to find. Left out: nothing. */
export interface Mutation {
  /** Changes the statements that are asked of the database. */
  sql?(text: string): string;
  /** Changes what is asked of a replica's store. */
  store?(store: Store): Store;
  /** Others than what holds. */
  readonly terms?: Partial<LeaseTerms>;
  /** Whether commits wait for a standby. */
  readonly isSynchronous?: boolean;
  /** Whether the database's warnings are heard of. */
  readonly hearsWarnings?: boolean;
}
