/**
 * Tells the time, and never one that is further on than what has passed since now allows: a clock that is set forward ages
 * nothing.
 */
export function steadyClock(): () => number {
  const begun = Date.now() - performance.now();
  return () => Math.min(Date.now(), begun + performance.now());
}
