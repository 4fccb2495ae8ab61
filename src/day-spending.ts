import { Refusal } from "./errors.ts";

export const DAY_MS = 86_400_000;

/** What was used of what is limited. */
export interface Used {
  /** In US dollars. */
  readonly costUsd: number;
  /** Calls of the model. */
  readonly modelTurns: number;
}

/** What a principal's turns have used on one day. */
export interface DaySpending extends Used {
  /** Whole days since the epoch, in UTC. */
  readonly day: number;
}

/** What a principal's turns may use on one day. 0: there is no such limit. */
export type DayLimits = Used;

/** The day that a time is in, as `DaySpending` has it. */
export function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}

/** What was used up of a day. */
export interface UsedUp {
  readonly what: "cost_usd" | "model_turns";
  readonly used: number;
  readonly most: number;
}

/** Which limit of the day was reached first. Undefined: none. */
export function usedUpOf(used: Used, limits: DayLimits): UsedUp | undefined {
  if (limits.costUsd > 0 && used.costUsd >= limits.costUsd) {
    return { what: "cost_usd", used: used.costUsd, most: limits.costUsd };
  }
  if (limits.modelTurns > 0 && used.modelTurns >= limits.modelTurns) {
    return { what: "model_turns", used: used.modelTurns, most: limits.modelTurns };
  }
  return undefined;
}

/** What of a day was used up, in words. */
export function usedUpText(principal: string, { what, used, most }: UsedUp): string {
  return what === "cost_usd"
    ? `the turns of ${principal} have cost $${dollars(used)} today (UTC), and may cost $${dollars(most)} a day (BREAKGLASS_MAX_PRINCIPAL_COST_USD_PER_DAY)`
    : `the turns of ${principal} have called the model ${used} times today (UTC), and may call it ${most} times a day (BREAKGLASS_MAX_PRINCIPAL_MODEL_TURNS_PER_DAY)`;
}

/** Refuses a principal's turn for what was used of the day; it is worth trying again on the next. */
export function spendingRefusal(
  principal: string,
  used: Used,
  limits: DayLimits,
  time: number,
): Refusal | undefined {
  const usedUp = usedUpOf(used, limits);
  if (usedUp === undefined) return undefined;
  const { what: limit, most } = usedUp;
  const metadata = { limit, most: String(most), used: String(usedUp.used) };
  const retryAfterMs = DAY_MS - (time % DAY_MS);
  return new Refusal("SPENDING_LIMIT", usedUpText(principal, usedUp), { metadata, retryAfterMs });
}

/** An amount with as many digits as it takes, two at least. */
export function dollars(usd: number): string {
  const [whole = "0", cents = ""] = usd.toFixed(6).split(".");
  return `${whole}.${cents.replace(/0{1,4}$/, "")}`;
}
