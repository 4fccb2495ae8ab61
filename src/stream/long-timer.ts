/** The furthest that a timer of Node's reaches, in milliseconds (24.8 days); one that is set for later fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls `run` after so long, however long that is; the process does not live for it. Answers what takes that back. */
export function afterLong(ms: number, run: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number) => {
    const isFar = leftMs > MAX_TIMER_MS;
    timer = isFar ? setTimeout(wait, MAX_TIMER_MS, leftMs - MAX_TIMER_MS) : setTimeout(run, leftMs);
    timer.unref();
  };
  wait(ms);
  return () => clearTimeout(timer);
}
