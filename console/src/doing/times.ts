/** A point in time as the server tells it. */
interface Timestamp {
  readonly seconds: bigint;
  readonly nanos: number;
}

export function timeOf(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && new Date(Number(timestamp.seconds) * 1000 + timestamp.nanos / 1e6);
}

/** A length of time as the server takes it. */
export function durationOf(seconds: number): { seconds: bigint; nanos: number } {
  const whole = Math.floor(seconds);
  return { seconds: BigInt(whole), nanos: Math.round((seconds - whole) * 1e9) };
}
