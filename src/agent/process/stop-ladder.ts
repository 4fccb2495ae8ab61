import { setTimeout as delay } from "node:timers/promises";
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

/**
 * Ends a family of processes, asking first, and resolves once none is left.
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
  await family.members();
  ask();
  if (await ended(family, leaderExit, rungs.askedMs)) return true;
  await family.signal("SIGTERM");
  if (await ended(family, leaderExit, rungs.terminatedMs)) return true;
  const deadline = performance.now() + rungs.killedMs;
  while (await family.signal("SIGKILL")) {
    if (performance.now() >= deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** Resolves true once the leader has exited and no member lives, false after `withinMs`. */
export async function ended(
  family: ProcessFamily,
  leaderExit: Promise<unknown>,
  withinMs: number,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  // A look at the process table takes its time: none is spent while the leader is known to live.
  const waiting = new AbortController();
  const timeout = delay(withinMs, false, { signal: waiting.signal }).catch(() => false);
  const exited = await Promise.race([leaderExit.then(() => true), timeout]);
  waiting.abort();
  if (!exited) return false;
  while (await family.lives()) {
    if (performance.now() >= deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}
