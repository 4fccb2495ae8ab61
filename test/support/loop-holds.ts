/**
 * To be imported into a process before its program: measures for how long its event loop was held, and at SIGUSR2 writes
 * that, for the time since the last SIGUSR2, to the file that `LOOP_HOLDS_FILE` names.
 */
import { isMainThread } from "node:worker_threads";
import { tellAtSignal, toldAtSignal } from "./told-by-signal.ts";

/** The longest that the loop was held by one thing, in milliseconds. */
export interface LoopHold {
  /** Of the thread's own work: what other processes take of the processor is not in it. */
  readonly cpuMs: number;
  readonly wallMs: number;
}

const file = process.env.LOOP_HOLDS_FILE;
if (isMainThread && file !== undefined) record(file);

/** The variables of a process that records its loop's holds in a file. */
export function recordingHolds(path: string): Record<string, string> {
  return { NODE_OPTIONS: `--import=${import.meta.filename}`, LOOP_HOLDS_FILE: path };
}

/** The longest hold of a process since it was asked last. */
export async function longestHold(pid: number, path: string): Promise<LoopHold> {
  return (await toldAtSignal(pid, path)) as LoopHold;
}

function record(path: string): void {
  let longest: LoopHold = { cpuMs: 0, wallMs: 0 };
  let wall = performance.now();
  let cpu = process.threadCpuUsage();
  const look = () => {
    const used = process.threadCpuUsage(cpu);
    const wallMs = performance.now() - wall;
    const cpuMs = Math.min((used.user + used.system) / 1000, wallMs);
    longest = {
      cpuMs: Math.max(longest.cpuMs, cpuMs),
      wallMs: Math.max(longest.wallMs, wallMs),
    };
    wall = performance.now();
    cpu = process.threadCpuUsage();
  };
  setInterval(look, 1).unref();
  tellAtSignal(path, () => {
    look();
    const told = longest;
    longest = { cpuMs: 0, wallMs: 0 };
    return told;
  });
}
