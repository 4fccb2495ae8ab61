import { setTimeout as delay } from "node:timers/promises";
import { byDeadline } from "../../stream/deadline.ts";
import type { ProcessFamily } from "./process-family.ts";

/** How long each rung waits before the next, in milliseconds. */
export interface StopRungs {
  /** After asking. */
  readonly askedMs: number;
  /** After SIGTERM. */
  readonly terminatedMs: number;
  /** After the first SIGKILL: processes that were born meanwhile are killed as they are found. */
  readonly killedMs: number;
}

/** Together, and with what a kill itself takes, below the five seconds that a caller of CancelTurn should wait. */
export const STOP_RUNGS: StopRungs = { askedMs: 1500, terminatedMs: 1500, killedMs: 5000 };

const POLL_MS = 20;
/** How long nobody is asked to end where nobody can be looked for: what an agent does must not go on for want of a look. */
const FIRST_LOOK_MS = 1000;
/** Between two looks where nobody can be looked for. */
const BLIND_POLL_MS = 100;

/**
 * Ends a family of processes, asking first, and resolves once none is left. Where nobody can be looked for it takes its
 * rungs all the same, and then goes on until somebody can: that nobody was seen is no proof.
 *
 * @param leaderExit - Resolves when the process that was started first has exited.
 * @param ask - Asks the leader to end by itself.
 * @returns False where a member outlived even SIGKILL, stuck in the kernel.
 */
export async function stopFamily(
  family: ProcessFamily,
  leaderExit: Promise<unknown>,
  ask: () => void,
  rungs: StopRungs,
): Promise<boolean> {
  // Looked for before anyone is signaled: a child whose parent has died is harder to find.
  await lookFirst(family);
  ask();
  if (await ended(family, leaderExit, rungs.askedMs)) return true;
  await family.signal("SIGTERM");
  if (await ended(family, leaderExit, rungs.terminatedMs)) return true;
  let deadline = performance.now() + rungs.killedMs;
  while (await family.signal("SIGKILL")) {
    if (!family.isSeen) deadline = performance.now() + rungs.killedMs;
    if (performance.now() >= deadline) return false;
    await delay(family.isSeen ? POLL_MS : BLIND_POLL_MS);
  }
  return true;
}

async function lookFirst(family: ProcessFamily): Promise<void> {
  const deadline = performance.now() + FIRST_LOOK_MS;
  await family.members();
  while (!family.isSeen && performance.now() < deadline) {
    await delay(BLIND_POLL_MS);
    await family.members();
  }
}

/** Resolves true once the leader has exited and no member lives, false after `withinMs`. */
export async function ended(
  family: ProcessFamily,
  leaderExit: Promise<unknown>,
  withinMs: number,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  // A look at the process table takes its time: none is spent while the leader is known to live.
  const exited = await byDeadline(
    leaderExit.then(() => true),
    withinMs,
    false,
  );
  if (!exited) return false;
  while (await family.lives()) {
    if (performance.now() >= deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}
