import {
  type DayLimits,
  type DaySpending,
  dayOf,
  spendingRefusal,
  type Used,
  type UsedUp,
  usedUpOf,
} from "../day-spending.ts";
import type { Refusal } from "../errors.ts";

const NOTHING: Used = { costUsd: 0, modelTurns: 0 };

/** A turn that runs. */
interface CountedTurn {
  /** What it has used so far. */
  used: Used;
  readonly usedUp: (limit: UsedUp) => void;
}

/** One principal's, while a turn of theirs runs. */
interface PrincipalDay {
  /** Of turns that have ended. */
  recorded: DaySpending;
  /** Of those that run, by their ids. */
  readonly running: Map<string, CountedTurn>;
}

/**
 * What each principal has used today, that of turns that run included, which the store does not know of yet.
 *
 * 1. What a turn uses counts on the day on which it ends; until then on each day.
 * 2. Nothing is held of a principal none of whose turns runs: the store tells what was used when the next one starts.
 * 3. While one runs only what ends on this server is counted. The store looks again at each start.
 * 4. Where a limit is reached all that run are told.
 */
export class DaySpendings {
  readonly #limits: DayLimits;
  readonly #principals = new Map<string, PrincipalDay>();

  constructor(limits: DayLimits) {
    this.#limits = limits;
  }

  /** Whether there is any limit. */
  get isBounded(): boolean {
    return this.#limits.costUsd > 0 || this.#limits.modelTurns > 0;
  }

  /** Whether what turns cost has to be known while they run. */
  get limitsCost(): boolean {
    return this.#limits.costUsd > 0;
  }

  /**
   * Counts a turn, which is on record.
   *
   * @param today - What the principal's turns had used by then that have ended.
   * @param usedUp - Called whenever a limit of the day is found to be reached.
   */
  begin(
    principal: string,
    turnId: string,
    today: DaySpending,
    usedUp: (limit: UsedUp) => void,
  ): void {
    const known = this.#principals.get(principal) ?? { recorded: today, running: new Map() };
    known.running.set(turnId, { used: NOTHING, usedUp });
    this.#principals.set(principal, known);
  }

  /** A turn has used so much. */
  note(principal: string, turnId: string, used: Used): void {
    const running = this.#principals.get(principal)?.running;
    const turn = running?.get(turnId);
    if (running === undefined || turn === undefined) return;
    turn.used = used;
    const limit = usedUpOf(this.#usedBy(principal, Date.now()), this.#limits);
    if (limit !== undefined) for (const each of running.values()) each.usedUp(limit); // 4.
  }

  /** A turn has its end on record, with what was noted last. */
  end(principal: string, turnId: string): void {
    const known = this.#principals.get(principal);
    const turn = known?.running.get(turnId);
    if (known === undefined || turn === undefined) return;
    known.running.delete(turnId);
    known.recorded = sum(currentOf(known.recorded, Date.now()), [turn]);
    if (known.running.size === 0) this.#principals.delete(principal); // 2.
  }

  /** Why no turn of a principal's can begin now, by what those have used that run. */
  refusal(principal: string): Refusal | undefined {
    const now = Date.now();
    return spendingRefusal(principal, this.#usedBy(principal, now), this.#limits, now);
  }

  /** What those of a principal's turns have used that run. */
  running(principal: string): Used {
    const running = this.#principals.get(principal)?.running.values() ?? [];
    const { costUsd, modelTurns } = sum({ day: 0, ...NOTHING }, [...running]);
    return { costUsd, modelTurns };
  }

  #usedBy(principal: string, now: number): Used {
    const known = this.#principals.get(principal);
    if (known === undefined) return NOTHING;
    return sum(currentOf(known.recorded, now), [...known.running.values()]);
  }
}

/** The same, or nothing where that was on another day. */
function currentOf(recorded: DaySpending, now: number): DaySpending {
  const day = dayOf(now);
  return recorded.day === day ? recorded : { day, ...NOTHING };
}

function sum(
  { day, costUsd, modelTurns }: DaySpending,
  turns: readonly Pick<CountedTurn, "used">[],
): DaySpending {
  return {
    day,
    costUsd: turns.reduce((total, { used }) => total + used.costUsd, costUsd),
    modelTurns: turns.reduce((total, { used }) => total + used.modelTurns, modelTurns),
  };
}
