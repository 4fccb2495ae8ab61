import type { LeaseTerms } from "../../../src/store/lease.ts";
import type { Store } from "../../../src/store/store.ts";

/** An empty store, and how to open it again as the next server does. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  /** Closes it and opens it again. */
  reopen(): Promise<Store>;
  /** Opens it for another server too, or for one again. With terms it never runs out before `passLeases`. */
  openFor(owner: string, terms?: LeaseTerms): Promise<Store>;
  /** Has so much time pass, as leases are held, in milliseconds. */
  passLeases(ms: number): void;
}
