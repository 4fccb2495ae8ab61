import type { LeaseTerms } from "../lease.ts";
import type { Store } from "../store.ts";
import type { StoreLoad } from "../store-load.ts";
import { FILE_OWNER } from "./file-leases.ts";
import { LocalChanges } from "./local-changes.ts";
import { LocalCommands } from "./local-commands.ts";
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
   */
  openStore(owner?: string, terms?: LeaseTerms): Promise<Store>;
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
    async openStore(owner = FILE_OWNER, terms) {
      const until = () =>
        terms === undefined ? Number.POSITIVE_INFINITY : clock() + terms.leaseMs;
      const epoch = await asked.openLease(owner, until());
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

/** The methods that change what others follow: once it is on disk they are told. */
function telling(asked: ThreadMethods, changes: LocalChanges): Partial<ThreadMethods> {
  return {
    createTurn(start, epoch) {
      return behind(asked.createTurn(start, epoch), ({ turn, joined }) => {
        if (joined) return;
        changes.tellSession(turn.sessionKey);
        changes.tellTurns();
      });
    },
    beginTurn(turnId, epoch) {
      return behind(asked.beginTurn(turnId, epoch), () => {
        changes.tellTurn(turnId);
        changes.tellTurns();
      });
    },
    append(batch, epoch) {
      const { turnId, state, approvals, end } = batch;
      const isChange = (state ?? approvals ?? end) !== undefined;
      const appended = asked.append(batch, epoch);
      // Most have nobody who follows them elsewhere: they are to cost nothing more.
      if (!isChange && !changes.isTurnHeard(turnId)) return appended;
      return behind(appended, (endedIn) => {
        changes.tellTurn(turnId);
        if (isChange) changes.tellTurns();
        if (endedIn !== undefined) changes.tellSession(endedIn);
      });
    },
    deleteSession(...args) {
      return behind(asked.deleteSession(...args), ({ sessionKey }) =>
        changes.tellSession(sessionKey),
      );
    },
    shareSession(key, ...args) {
      return behind(asked.shareSession(key, ...args), () => {
        changes.tellSession(key);
        changes.tellTurns();
      });
    },
    unshareSession(key, ...args) {
      return behind(asked.unshareSession(key, ...args), () => {
        changes.tellSession(key);
        changes.tellWithdrawal();
      });
    },
    removeEndedTurns(...args) {
      return behind(asked.removeEndedTurns(...args), ({ sessions }) => {
        for (const { sessionKey } of sessions) changes.tellSession(sessionKey);
      });
    },
  };
}

/** Tells of what was asked for once it is done, and leaves the answer as it is. */
function behind<T>(done: Promise<T>, tell: (answer: T) => void): Promise<T> {
  done.then(tell, () => {});
  return done;
}
