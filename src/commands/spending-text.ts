import type { Spending } from "../../gen/breakglass/v1/spending_pb.ts";
import { dollars } from "./event-text.ts";
import { type Printable, print } from "./terminal-text.ts";

/** What of the day is used and left, and what one turn may use, a line each; none where nothing is limited. */
export function spendingLines(spending: Spending): Printable[] {
  const { costUsd, maxCostUsd, maxTurnCostUsd } = spending;
  const { modelTurns, maxModelTurns, maxTurnModelTurns } = spending;
  const leftUsd = Math.max(0, maxCostUsd - costUsd);
  const leftTurns = maxModelTurns > modelTurns ? maxModelTurns - modelTurns : 0n;
  return [
    maxCostUsd > 0 &&
      print`today (UTC)  ${dollars(costUsd)} of ${dollars(maxCostUsd)}  ${dollars(leftUsd)} left\n`,
    maxModelTurns > 0n &&
      print`today (UTC)  ${modelTurns} of ${maxModelTurns} calls of the model  ${leftTurns} left\n`,
    maxTurnCostUsd > 0 && print`a turn may cost ${dollars(maxTurnCostUsd)}\n`,
    maxTurnModelTurns > 0n && print`a turn may call the model ${maxTurnModelTurns} times\n`,
  ].filter((line) => line !== false);
}

/** The same as one JSON object; undefined where nothing is limited. */
export function spendingJson(spending: Spending): string | undefined {
  if (spendingLines(spending).length === 0) return undefined;
  const { costUsd, maxCostUsd, modelTurns, maxModelTurns } = spending;
  const { maxTurnCostUsd, maxTurnModelTurns } = spending;
  return JSON.stringify({
    today: { costUsd, maxCostUsd },
    ...{ modelTurns: String(modelTurns), maxModelTurns: String(maxModelTurns) },
    ...{ maxTurnCostUsd, maxTurnModelTurns: String(maxTurnModelTurns) },
  });
}
