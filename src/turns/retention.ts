import { setTimeout as delay } from "node:timers/promises";
import type { RemovedSession } from "../store/records.ts";
import { byDeadline } from "../stream/deadline.ts";
import { steadyClock } from "../stream/steady-clock.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";

/** So many turns at most come off the record in one commit. */
const TURNS_AT_ONCE = 100;
/** So long it waits for what they left to be gone before it goes on. */
const PATIENCE_MS = 60_000;
/** How often it is looked for what has become old enough: a tenth of the age, within these. */
const LOOK_MS = { least: 1000, most: 3600_000 };

type RetentionSurroundings = Pick<TurnSurroundings, "store" | "log" | "audit">;

/** What is to be done about what has come off the record. */
export interface Leavings {
  /** Removes what a session left. Never rejects. */
  remove(session: RemovedSession): Promise<unknown>;
  /** Removes what turns left in the store. Never rejects. */
  removeRows(): Promise<unknown>;
}

/**
 * Removes ended turns at a certain age, and sessions with their last turn.
 *
 * A clock that is set forward meanwhile ages nothing until the next start: a machine that comes up in 1970 and finds its time
 * server during a repair would lose that at once.
 *
 * @param ageMs - From a turn's end. 0: everything is kept, and nothing is done.
 * @param signal - Ends it.
 * @returns Resolves when it has ended. Never rejects.
 */
export async function retain(
  surroundings: RetentionSurroundings,
  ageMs: number,
  leavings: Leavings,
  signal: AbortSignal,
): Promise<void> {
  if (ageMs === 0) return;
  const clock = steadyClock();
  const every = Math.min(Math.max(ageMs / 10, LOOK_MS.least), LOOK_MS.most);
  while (!signal.aborted) {
    try {
      await removeOlder(surroundings, clock, ageMs, leavings, signal);
    } catch (error) {
      if (!signal.aborted) surroundings.log.error("old turns cannot be removed", { error });
    }
    await delay(every, undefined, { signal, ref: false }).catch(() => {});
  }
}

async function removeOlder(
  { store, log, audit }: RetentionSurroundings,
  clock: () => number,
  ageMs: number,
  leavings: Leavings,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    // A store takes whole milliseconds.
    const before = Math.floor(clock() - ageMs);
    const { owner, epoch } = store.lease;
    const now = Date.now();
    const gone = await store.removeEndedTurns(before, TURNS_AT_ONCE, now, epoch, audit.expired());
    const { turns, sessions } = gone;
    if (turns > 0) log.info("old turns were removed", { turns, sessions: sessions.length });
    // The files of the others are on their home's list.
    const own = sessions.filter(({ home }) => home === owner);
    const removed = [leavings.removeRows(), ...own.map((session) => leavings.remove(session))];
    // One that takes long does not hold the others up.
    await byDeadline(Promise.all(removed), PATIENCE_MS, undefined, false);
    if (turns === 0) return;
  }
}
