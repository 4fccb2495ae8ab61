import { setTimeout as delay } from "node:timers/promises";
import type { SessionChange, SessionRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { SessionView } from "../store/views.ts";

/** What a watcher of a session is told. */
export interface SessionNews {
  /** All changes up to here were told. */
  readonly cursor: number;
  /** Undefined: nothing new. */
  readonly change?: SessionChange;
  /** All that had happened when the watching began has been told. True once. */
  readonly caughtUp: boolean;
}

/** At least every 15 s something is owed; a busy machine is late. */
export const SILENCE_MS = 14_000;
const PAGE = 100;

/**
 * A session's changes from after a cursor on, each once and in order, as they happen.
 *
 * @param signal - Ends it; whatever it holds is released then, also where nobody asks for more.
 * @throws Refusal NOT_FOUND where the session does not exist, or is deleted while it is watched; STORAGE.
 */
export async function* watchSession(
  store: Store,
  session: SessionRecord,
  view: SessionView,
  afterCursor: number,
  signal: AbortSignal,
): AsyncGenerator<SessionNews> {
  const { sessionKey } = session;
  let rung = Promise.withResolvers<void>();
  const stop = store.changes.listenToSession(sessionKey, () => rung.resolve());
  signal.addEventListener("abort", stop);
  try {
    let cursor = afterCursor;
    for (let isFirst = true; !signal.aborted; ) {
      const changes = await store.listChanges(session, view, cursor, PAGE, sessionKey);
      for (const change of changes) {
        cursor = change.cursor;
        const isLast: boolean = isFirst && changes.length < PAGE && change === changes.at(-1);
        yield { cursor, change, caughtUp: isLast };
        isFirst &&= !isLast;
      }
      if (changes.length > 0) continue;
      if (isFirst) yield { cursor, caughtUp: true };
      isFirst = false;
      if (!(await within(SILENCE_MS, rung.promise, signal))) yield { cursor, caughtUp: false };
      rung = Promise.withResolvers();
    }
  } finally {
    stop();
    signal.removeEventListener("abort", stop);
  }
}

/** Whether something happened in time, or the signal aborted. */
export async function within(
  ms: number,
  event: Promise<void>,
  signal: AbortSignal,
): Promise<boolean> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const late = delay(ms, false, { signal: either }).catch(() => true);
  try {
    return await Promise.race([event.then(() => true), late]);
  } finally {
    over.abort();
  }
}
