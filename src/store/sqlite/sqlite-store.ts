import type { LeaseTerms } from "../lease.ts";
import { LocalChanges } from "../local-changes.ts";
import { LocalCommands } from "../local-commands.ts";
import type { Store } from "../store.ts";
import type { StoreLoad } from "../store-load.ts";
import { telling } from "../telling.ts";
import { FILE_OWNER } from "./file-leases.ts";
import type { Answered, FileMethods, MethodName } from "./methods.ts";
import { StoreThread } from "./store-thread.ts";

/** The store's methods as its thread answers them. */
type ThreadMethods = {
  [Name in MethodName]: (...args: Parameters<FileMethods[Name]>) => Promise<Answered<Name>>;
};

/** A store, and how it does. */
export interface SqliteStore extends Store {
  load(): StoreLoad;
}

/**
 * Opens a store in an SQLite file, making it where it does not exist. It is written by a thread of its own that groups the
 * commits of all turns.
 *
 * @throws Error with a message for the operator where the file cannot be used.
 */
export async function openSqliteStore(path: string): Promise<SqliteStore> {
  const file = await openSqliteFile(path);
  return { ...(await file.openStore()), close: () => file.close(), load: () => file.load() };
}

/** A file that is open, and the store that each server in this process has in it. */
export interface SqliteFile {
  /**
   * Opens it for a server. To close that store ends its lease.
   *
   * @param owner - The server's name. Left out: that of a file's only one.
   * @param terms - Left out: it has the lease until it closes the store.
   * @param address - What other servers reach it by. Left out: they do not.
   */
  openStore(owner?: string, terms?: LeaseTerms, address?: string): Promise<Store>;
  /** How it does, for all of them. */
  load(): StoreLoad;
  /** Commits what was asked for and closes, for all of them. Idempotent. */
  close(): Promise<void>;
}

/**
 * As `openSqliteStore`, for several servers.
 *
 * @param clock - What leases are held against, in milliseconds.
 */
export async function openSqliteFile(
  path: string,
  clock = () => performance.now(),
): Promise<SqliteFile> {
  const thread = await StoreThread.start(path);
  const methods = thread.methods.map((name) => {
    return [name, (...args: readonly unknown[]) => thread.call(name, args)] as const;
  });
  // The thread's table of methods is typed by this interface.
  const asked = Object.fromEntries(methods) as unknown as ThreadMethods;
  const changes = new LocalChanges();
  const commands = new LocalCommands();
  const told = { ...asked, ...telling(asked, changes) };
  return {
    async openStore(owner = FILE_OWNER, terms, address = "") {
      const until = () =>
        terms === undefined ? Number.POSITIVE_INFINITY : clock() + terms.leaseMs;
      const epoch = await asked.openLease(owner, address, until());
      const store = {
        ...told,
        ...{ lease: { owner, epoch, terms }, changes, commands },
        renewLease: (renewed: number) => asked.renewLease(renewed, until()),
        fence: (other: string, own: number) => asked.fence(other, own, clock()),
        listAway: () => asked.listAway(clock()),
        close: () => asked.endLease(epoch),
      };
      return store as Omit<typeof store, "append"> & Pick<Store, "append">;
    },
    load: () => thread.load,
    close: () => thread.close(),
  };
}
