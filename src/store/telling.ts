import type { LocalChanges } from "./local-changes.ts";
import type { StoreMethods } from "./store.ts";

/** The methods that change what others follow. */
type ToldNames =
  | "createTurn"
  | "beginTurn"
  | "deleteSession"
  | "shareSession"
  | "unshareSession"
  | "removeEndedTurns";

/** Those as a store asks for them: of an append it hears in which session a turn has ended, if that was its end. */
type AskedMethods = Pick<StoreMethods, ToldNames> & {
  append(...args: Parameters<StoreMethods["append"]>): Promise<string | undefined>;
};

/** The methods that change what others follow: once it is on disk they are told. */
export function telling(asked: AskedMethods, changes: LocalChanges): AskedMethods {
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
