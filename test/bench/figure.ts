/** One thing measured, against the limit that was taken in the same run. */
export interface Figure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  /** What the same work takes, or gives, without the service; for memory, what it may take. */
  readonly limit: number;
  /** What is asked of `value / limit`. Undefined: nothing, the figure is only told. */
  readonly bar?: { readonly atLeast: number } | { readonly atMost: number };
}

/** Prints a figure as a line of JSON, and answers whether it passed. */
export function report({ figure, value, unit, limit, bar }: Figure): boolean {
  const ratio = value / limit;
  const pass = bar === undefined || ("atLeast" in bar ? ratio >= bar.atLeast : ratio <= bar.atMost);
  const rounded = { value: round(value), unit, limit: round(limit), ratio: round(ratio) };
  // Where nothing is asked, there is nothing to pass.
  const asked = bar === undefined ? {} : { bar, pass };
  process.stdout.write(`${JSON.stringify({ figure, ...rounded, ...asked })}\n`);
  return pass;
}

/** The value that a share of the values lies below; 0.5 for the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  if (value === undefined) throw new Error("nothing was measured");
  return value;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
