import type { AgentRun } from "../agent/agent.ts";
import { dollars, type Used, usedUpText } from "../day-spending.ts";
import type { StartedTurn } from "../store/writes.ts";
import type { DaySpendings } from "./day-spendings.ts";

/** What one turn may use. 0: there is no such limit. */
export interface SpendingLimits {
  /** In US dollars. */
  readonly maxCostUsd: number;
  /** Calls of the model. */
  readonly maxModelTurns: number;
}

/** A number that is not to be passed, and what set it. */
interface Bound {
  readonly most: number;
  readonly setBy: string;
}

/** What bounds one turn. Undefined: nothing does. */
export interface SpendingBounds {
  readonly costUsd: Bound | undefined;
  readonly modelTurns: Bound | undefined;
}

/** The lower of what a request asks for and what the server allows. */
export function boundsOf(server: SpendingLimits, asked: Partial<SpendingLimits>): SpendingBounds {
  return {
    costUsd: lower(
      { most: server.maxCostUsd, setBy: "BREAKGLASS_MAX_TURN_COST_USD" },
      { most: asked.maxCostUsd ?? 0, setBy: "max_cost_usd" },
    ),
    modelTurns: lower(
      { most: server.maxModelTurns, setBy: "BREAKGLASS_MAX_TURN_MODEL_TURNS" },
      { most: asked.maxModelTurns ?? 0, setBy: "max_model_turns" },
    ),
  };
}

/**
 * What a turn uses, held against what it may use and what its principal may on a day.
 *
 * 1. A limit of calls is reached when a call beyond it begins to answer; one of cost when a call has cost so much, as the
 *    agent tells behind it.
 * 2. That is told once, of the limit that is reached first.
 */
export class TurnSpending {
  readonly #turnId: string;
  readonly #principal: string;
  readonly #bounds: SpendingBounds;
  readonly #days: DaySpendings;
  readonly #isBounded: boolean;
  readonly #reached: (limit: string) => void;
  #isReached = false;

  /** @param reached - Told of a limit that is reached, in words. */
  constructor(
    { turn, today }: StartedTurn,
    bounds: SpendingBounds,
    days: DaySpendings,
    reached: (limit: string) => void,
  ) {
    this.#turnId = turn.turnId;
    this.#principal = turn.principal;
    this.#bounds = bounds;
    this.#days = days;
    this.#isBounded = days.isBounded || (bounds.costUsd ?? bounds.modelTurns) !== undefined;
    this.#reached = reached;
    days.begin(this.#principal, this.#turnId, today, (limit) =>
      this.#tell(usedUpText(this.#principal, limit)),
    );
  }

  /** The agent has begun. */
  begin(run: AgentRun): void {
    if (this.#bounds.costUsd !== undefined || this.#days.limitsCost) run.watchCost?.();
  }

  /** Looks at what was used by now. */
  look(run: AgentRun): void {
    if (!this.#isBounded) return;
    const used = usedBy(run);
    this.#tell(this.#ownLimit(used));
    this.#days.note(this.#principal, this.#turnId, used);
  }

  /** The end is on record, or is another server's to record. */
  end(): void {
    this.#days.end(this.#principal, this.#turnId);
  }

  #tell(limit: string | undefined): void {
    if (limit === undefined || this.#isReached) return;
    this.#isReached = true; // 2.
    this.#reached(limit);
  }

  /** 1. */
  #ownLimit({ costUsd, modelTurns }: Used): string | undefined {
    const { costUsd: cost, modelTurns: turns } = this.#bounds;
    if (cost !== undefined && costUsd >= cost.most) {
      return `the turn has cost $${dollars(costUsd)}, and was to cost less than $${dollars(cost.most)} (${cost.setBy})`;
    }
    if (turns !== undefined && modelTurns > turns.most) {
      return `the turn called the model for the ${modelTurns}. time, and was to call it ${turns.most} times at most (${turns.setBy})`;
    }
    return undefined;
  }
}

/** What a run has used by now, as far as its agent tells. */
function usedBy({ spending, modelTurns = 0 }: AgentRun): Used {
  const { totalCostUsd: costUsd } = spending;
  return { costUsd: Number.isFinite(costUsd) ? costUsd : 0, modelTurns };
}

function lower(server: Bound, asked: Bound): Bound | undefined {
  const set = [server, asked].filter(({ most }) => most > 0);
  return set.toSorted((one, other) => one.most - other.most)[0];
}
