import type { Store, StoreMethods } from "../store.ts";
import { StoreThread } from "./store-thread.ts";

/**
 * Opens a store in an SQLite file, making it where it does not exist. It is written by a thread of its own that groups the
 * commits of all turns.
 *
 * @throws Error with a message for the operator where the file cannot be used.
 */
export async function openSqliteStore(path: string): Promise<Store> {
  const thread = await StoreThread.start(path);
  const methods = thread.methods.map((name) => {
    return [name, (...args: readonly unknown[]) => thread.call(name, args)] as const;
  });
  // The thread's table of methods is typed by this interface.
  const store = Object.fromEntries(methods) as unknown as StoreMethods;
  return { ...store, lease: thread.lease, close: () => thread.close() };
}
