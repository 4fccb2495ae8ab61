import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { byDeadline } from "../stream/deadline.ts";

/** Resolves when a process has ended. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** Asks a process to end, and waits until it has; with a second signal where it takes longer than `ms`. */
export async function endProcess(
  child: ChildProcess,
  asked: NodeJS.Signals,
  ms: number,
  then: NodeJS.Signals = "SIGKILL",
): Promise<void> {
  if (child.pid === undefined) return;
  child.kill(asked);
  const isLate = await byDeadline(
    ended(child).then(() => false),
    ms,
    true,
  );
  if (!isLate) return;
  child.kill(then);
  await ended(child);
}
