import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "../support/processes.ts";

/** What an agent that heeds nothing is left: 1.5 s after it was asked, 1.5 s after SIGTERM. */
export const LADDER_MS = 1500 + 1500;
/** What a turn leaves running may go on for 5 s after its result; then the ladder, and 1 s. */
export const GONE_AFTER_RESULT_MS = 5000 + LADDER_MS + 1000;
/** The rung of SIGTERM, after which a server that starts again kills what is left, and 1 s. */
export const GONE_AFTER_START_MS = 1500 + 1000;

/** The processes of this machine that have a text among their arguments; found without the server's own code. */
export function processesNaming(text: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => argumentsOf(pid).includes(text))
    .map(Number);
}

/** Waits until none of them is left, at most `withinMs`, and answers with those that are. */
export function survivors(text: string, withinMs: number): Promise<number[]> {
  return eventually(
    () => processesNaming(text),
    (pids) => pids.length === 0,
    withinMs,
  );
}

/** Kills what a trial left behind, so that the next one is not blamed for it. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended in between.
    }
  }
}

/** Empty for one that has ended, also while it waits to be reaped. */
function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
