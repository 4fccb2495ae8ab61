import type { Store, StoreMethods } from "../store.ts";
import { LocalChanges } from "./local-changes.ts";
import { LocalCommands } from "./local-commands.ts";
import type { Answered, MethodName } from "./methods.ts";
import { StoreThread } from "./store-thread.ts";

/** The store's methods as its thread answers them. */
type ThreadMethods = {
  [Name in MethodName]: (...args: Parameters<StoreMethods[Name]>) => Promise<Answered<Name>>;
};

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
  const asked = Object.fromEntries(methods) as unknown as ThreadMethods;
  const changes = new LocalChanges();
  const close = () => thread.close();
  const own = { lease: thread.lease, changes, commands: new LocalCommands(), close };
  const store = { ...asked, ...telling(asked, changes), ...own };
  return store as Omit<typeof store, "append"> & Pick<Store, "append">;
}

/** The methods that change what others follow: once it is on disk they are told. */
function telling(asked: ThreadMethods, changes: LocalChanges): Partial<ThreadMethods> {
  return {
    createTurn(start, epoch) {
      return behind(asked.createTurn(start, epoch), ({ turn, joined }) => {
        if (!joined) changes.tellSession(turn.sessionKey);
      });
    },
    beginTurn(turnId, epoch) {
      return behind(asked.beginTurn(turnId, epoch), () => changes.tellTurn(turnId));
    },
    append(batch, epoch) {
      const { turnId, end } = batch;
      const appended = asked.append(batch, epoch);
      // Most have nobody who follows them elsewhere: they are to cost nothing more.
      if (end === undefined && !changes.isTurnHeard(turnId)) return appended;
      return behind(appended, (endedIn) => {
        changes.tellTurn(turnId);
        if (endedIn !== undefined) changes.tellSession(endedIn);
      });
    },
    deleteSession(...args) {
      return behind(asked.deleteSession(...args), ({ sessionKey }) =>
        changes.tellSession(sessionKey),
      );
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
