import { NODE_TIMERS } from "./timers.ts";

/**
 * Waits for something, but only so long; it goes on behind the answer. The timer lives no longer than the waiting.
 *
 * @param ms - How long it is waited for.
 * @param late - The answer where the time is up first.
 * @param isRef - Whether the process lives for the timer.
 * @throws What it rejects with, in time.
 */
export async function byDeadline<T, L>(
  awaited: Promise<T>,
  ms: number,
  late: L,
  isRef = true,
  timers = NODE_TIMERS,
): Promise<T | L> {
  const { promise, resolve } = Promise.withResolvers<L>();
  const timer = timers.setTimeout(() => resolve(late), ms);
  if (!isRef) timer.unref();
  try {
    return await Promise.race([awaited, promise]);
  } finally {
    timers.clear(timer);
  }
}
