import { traitsOf } from "./cli-versions.ts";
import type { ResultMessage } from "./messages.ts";
import { toFinite } from "./numbers.ts";

/** Finer than any price: takes off what the difference of two sums leaves behind. */
const PRECISION = 1e9;

/** What each result of one process of the CLI cost by itself: the CLI's total is that of the conversation. */
export class CostCount {
  #toldBefore = 0;
  #sinceResult = false;

  /** What the CLI says of its own version. */
  set version(version: string) {
    this.#sinceResult = traitsOf(version).spendingSinceResult;
  }

  /** In US dollars. To be asked once for each result, in their order. */
  of(result: ResultMessage): number {
    const total = toFinite(result.total_cost_usd);
    const before = this.#toldBefore;
    this.#toldBefore = total;
    const since = this.#sinceResult ? result.model_usage_since_last_result : undefined;
    if (since) return Object.values(since).reduce((sum, { costUSD }) => sum + costUSD, 0);
    const isFurther = before > 0 && total >= before;
    return isFurther ? Math.round((total - before) * PRECISION) / PRECISION : total;
  }
}
