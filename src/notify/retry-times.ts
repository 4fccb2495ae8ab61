/** When what failed is tried again. All are in milliseconds. */
export interface RetryTimes {
  /** Behind the first failure, doubled with each one more. */
  readonly firstMs: number;
  /** What one message waits at most, but for what the receiver asks for. */
  readonly mostMs: number;
  /** What all wait at most while none gets through: so long may the next one to come wait too. */
  readonly pauseMs: number;
  /** The most that a receiver can ask for. */
  readonly askedMs: number;
}

/** An approval waits ten minutes by default: what is told of it a day later is of no use. */
export const RETRY_TIMES: RetryTimes = {
  firstMs: 1000,
  mostMs: 300_000,
  pauseMs: 30_000,
  askedMs: 3_600_000,
};

/**
 * How long to wait behind a failure.
 *
 * @param failures - How many there were one after the other, from 1.
 * @param mostMs - No longer than this, but for what the receiver asks for.
 */
export function retryDelay(
  failures: number,
  mostMs: number,
  { firstMs, askedMs }: RetryTimes,
  retryAfterMs = 0,
): number {
  const doubled = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), mostMs);
  // Between a half and the whole of it: many senders do not come back in the same moment.
  const spread = doubled * (0.5 + Math.random() / 2);
  return Math.max(spread, Math.min(retryAfterMs, askedMs));
}
