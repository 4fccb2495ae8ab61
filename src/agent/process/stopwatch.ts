/** So many bytes may take a while to look at: only then is it worth its 2 µs to ask for the thread's own time. */
const LARGE_BYTES = 16 * 1024;

/** Begins to measure, in milliseconds, how long it takes to look at so many bytes; what other processes take of it is not in it. */
export function stopwatch(bytes: number): () => number {
  const start = performance.now();
  if (bytes < LARGE_BYTES) return () => performance.now() - start;
  const cpu = process.threadCpuUsage();
  return () => {
    const { user, system } = process.threadCpuUsage(cpu);
    return (user + system) / 1000;
  };
}
