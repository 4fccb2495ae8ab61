import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../log.ts";
import type { RemovedSession, Store } from "../store/store.ts";

/** So many turns at most leave the store in one commit. */
const TURNS_AT_ONCE = 100;
/** How often it is looked for what has become old enough: a tenth of the age, within these. */
const LOOK_MS = { least: 1000, most: 3600_000 };

/**
 * Removes ended turns at a certain age, and sessions with their last turn.
 *
 * @param ageMs - From a turn's end. 0: everything is kept, and nothing is done.
 * @param remove - Removes what a session left outside the store.
 * @param signal - Ends it.
 * @returns Resolves when it has ended. Never rejects.
 */
export async function retain(
  store: Store,
  ageMs: number,
  remove: (session: RemovedSession) => Promise<void>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  if (ageMs === 0) return;
  const every = Math.min(Math.max(ageMs / 10, LOOK_MS.least), LOOK_MS.most);
  while (!signal.aborted) {
    try {
      await removeOlder(store, ageMs, remove, log, signal);
    } catch (error) {
      if (!signal.aborted) log.error("old turns cannot be removed", { error });
    }
    await delay(every, undefined, { signal, ref: false }).catch(() => {});
  }
}

async function removeOlder(
  store: Store,
  ageMs: number,
  remove: (session: RemovedSession) => Promise<void>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const now = Date.now();
    const { turns, sessions } = await store.removeEndedTurns(now - ageMs, TURNS_AT_ONCE, now);
    if (turns > 0) log.info("old turns were removed", { turns, sessions: sessions.length });
    for (const session of sessions) await remove(session);
    if (turns === 0) return;
  }
}
