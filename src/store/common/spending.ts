import type { SpendingRecord } from "../records.ts";
import type { Row } from "./row.ts";

/** The columns of what was used, of a turn and of a session, in the order of `spendingValues`. */
export const SPENDING_COLUMNS = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
  "total_cost_usd",
] as const;

/** More would not be read back as a number, and no model reads half as many tokens. */
export const MOST_TOKENS = 2n ** 53n - 1n;

/** The values of `SPENDING_COLUMNS`. */
export function spendingValues({ usage, totalCostUsd }: SpendingRecord): (number | null)[] {
  const count = (tokens: bigint | undefined) =>
    tokens === undefined ? null : Number(tokens < MOST_TOKENS ? tokens : MOST_TOKENS);
  return [
    count(usage?.inputTokens),
    count(usage?.outputTokens),
    count(usage?.cacheReadInputTokens),
    count(usage?.cacheCreationInputTokens),
    // SQLite takes NaN for NULL: a turn that cannot be told what it cost would never end.
    Number.isFinite(totalCostUsd) ? totalCostUsd : 0,
  ];
}

/** What was used, from a row with `SPENDING_COLUMNS`. */
export function spendingOf(row: Row): SpendingRecord {
  const totalCostUsd = Number(row.total_cost_usd);
  if (row.input_tokens === null) return { usage: undefined, totalCostUsd };
  const [inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens] =
    SPENDING_COLUMNS.slice(0, 4).map((column) => BigInt(row[column] as number));
  return {
    usage: {
      inputTokens: inputTokens!,
      outputTokens: outputTokens!,
      cacheReadInputTokens: cacheReadInputTokens!,
      cacheCreationInputTokens: cacheCreationInputTokens!,
    },
    totalCostUsd,
  };
}
