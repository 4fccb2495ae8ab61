import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";

/** Something that is to be done later. */
export interface Timer {
  /** The process does not live for it. */
  unref(): unknown;
}

/** What a process tells the time by and waits with: Node's, or those of a simulation. */
export interface Timers {
  /** The time in milliseconds. Nobody sets it, and it never goes back. */
  now(): number;
  setTimeout(run: () => void, ms: number): Timer;
  setInterval(run: () => void, ms: number): Timer;
  /** Takes back what either has set. Idempotent. */
  clear(timer: Timer | undefined): void;
  /** Rejects where `signal` aborts. With `ref: false` the process does not live for it. */
  delay(ms: number, options?: { signal?: AbortSignal; ref?: boolean }): Promise<unknown>;
  /** Resolves when what this turn of the event loop brings has been done. */
  nextTurn(): Promise<unknown>;
}

/** Node's own. */
export const NODE_TIMERS: Timers = {
  now: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  setInterval: (run, ms) => setInterval(run, ms),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  delay: (ms, options) => delay(ms, undefined, options),
  nextTurn: () => nextTurn(),
};
