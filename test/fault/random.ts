/** A whole number from `low` to `high`, both included. */
export function between(low: number, high: number): number {
  return low + Math.floor(Math.random() * (high - low + 1));
}

/** One of some. */
export function oneOf<T>(choices: readonly T[]): T {
  return choices[between(0, choices.length - 1)]!;
}

/** True in about that share of the cases. */
export function chance(share: number): boolean {
  return Math.random() < share;
}
