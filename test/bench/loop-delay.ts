/**
 * To be imported into a process before its program: measures how late its main thread's event loop runs, and at SIGUSR2
 * writes that, for the time since the last SIGUSR2, to the file `loop-delay` in its home.
 */
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";
import { tellAtSignal } from "../support/told-by-signal.ts";

/** How late the loop ran, in milliseconds. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const RESOLUTION_MS = 1;

if (isMainThread) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  tellAtSignal(join(process.env.HOME ?? "", "loop-delay"), () => {
    const late = (share: number) => Math.max(0, histogram.percentile(share) / 1e6 - RESOLUTION_MS);
    const delay: LoopDelay = { p50: late(50), p99: late(99), max: late(100) };
    histogram.reset();
    return delay;
  });
}
