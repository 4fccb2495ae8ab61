import { traitsOf } from "./cli-versions.ts";
import { MAX_ENTRIES } from "./malformed.ts";
import { modelUsage, type ResultMessage } from "./messages.ts";
import { toFinite } from "./numbers.ts";

/** Finer than any price: takes off what the difference of two sums leaves behind. */
const PRECISION = 1e9;

/** What each result of one process of the CLI cost by itself: the CLI's total is that of the conversation. */
export class CostCount {
  #toldBefore = 0;
  #hasTold = false;
  #sinceResult = false;

  /** What the CLI says of its own version. */
  set version(version: string) {
    this.#sinceResult = traitsOf(version).spendingSinceResult;
  }

  /** The total of the newest result. Undefined: none has come. */
  get total(): number | undefined {
    return this.#hasTold ? this.#toldBefore : undefined;
  }

  /** In US dollars. To be asked once for each result, in their order. */
  of(result: ResultMessage): number {
    const total = toFinite(result.total_cost_usd);
    const before = this.#toldBefore;
    this.#toldBefore = total;
    this.#hasTold = true;
    const since = this.#sinceResult ? result.model_usage_since_last_result : undefined;
    const known = since ? costOf(Object.values(since)) : undefined;
    if (known !== undefined) return known;
    const isFurther = before > 0 && total >= before;
    return isFurther ? Math.round((total - before) * PRECISION) / PRECISION : total;
  }
}

/** What the models cost together. Undefined where one does not say, or where there are more than any agent uses. */
function costOf(models: readonly unknown[]): number | undefined {
  if (models.length > MAX_ENTRIES) return undefined;
  let sum = 0;
  for (const model of models) {
    const { data } = modelUsage.safeParse(model);
    if (data === undefined) return undefined;
    sum += data.costUSD;
  }
  return sum;
}
