import type { LeaseTerms } from "../../../src/store/lease.ts";
import type { Store } from "../../../src/store/store.ts";
import { type OwnedStore, owned } from "../../support/owned-store.ts";

/** An empty store, and how to open it again as the next server does. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  /** Closes it and opens it again. */
  reopen(): Promise<Store>;
  /** Opens it for another server too, or for one again. With terms it never runs out before `passLeases`. */
  openFor(owner: string, terms?: LeaseTerms, address?: string): Promise<Store>;
  /** Has so much time pass, as leases are held, in milliseconds. */
  passLeases(ms: number): void;
}

/** The same, under the lease that it has each time. */
export interface OpenedStore extends AsyncDisposable {
  readonly store: OwnedStore;
  reopen(): Promise<OwnedStore>;
}

/** Opens a store of its own for a test. */
export type OpenStore = () => Promise<OpenedStore>;

/** Has what a store's own test opens be written under its lease. */
export function opening(openStore: () => Promise<StoreUnderTest>): OpenStore {
  return async () => {
    const opened = await openStore();
    return {
      store: owned(opened.store),
      reopen: async () => owned(await opened.reopen()),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  };
}
