/** So many bytes may take a while to look at: only then is it worth its 2 µs to ask for the thread's own time. */
const LARGE_BYTES = 16 * 1024;
/** Fewer take no longer than that: what is more was somebody else's. */
const SMALL_MS = { least: 0.2, perByte: 0.00005 };

/** Begins to measure, in milliseconds, how long it takes to look at so many bytes; what other processes take of it is not in it. */
export function stopwatch(bytes: number): () => number {
  const start = performance.now();
  if (bytes < LARGE_BYTES) {
    const mostMs = SMALL_MS.least + SMALL_MS.perByte * bytes;
    return () => Math.min(performance.now() - start, mostMs);
  }
  const cpu = process.threadCpuUsage();
  return () => {
    const { user, system } = process.threadCpuUsage(cpu);
    return (user + system) / 1000;
  };
}
