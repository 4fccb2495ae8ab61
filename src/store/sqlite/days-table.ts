import { type DaySpending, dayOf, type Used } from "../../day-spending.ts";
import type { Statements } from "./statements.ts";

/** How many days are kept of each principal. */
const KEPT_DAYS = 400;

/** What each principal's turns have used by day, a row for each day on which one of them ended. It outlives them. */
export class DaysTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  get(principal: string, time: number): DaySpending {
    const day = dayOf(time);
    const sql = "SELECT cost_usd, model_turns FROM days WHERE principal = ? AND day = ?";
    const row = this.#statements.get(sql, principal, day);
    if (row === undefined) return { day, costUsd: 0, modelTurns: 0 };
    return { day, costUsd: Number(row.cost_usd), modelTurns: Number(row.model_turns) };
  }

  /** A turn has ended that used so much. */
  add(principal: string, time: number, used: Used): void {
    const costUsd = Number.isFinite(used.costUsd) ? used.costUsd : 0;
    if (costUsd === 0 && used.modelTurns === 0) return;
    const day = dayOf(time);
    const sql = `INSERT INTO days (principal, day, cost_usd, model_turns) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET cost_usd = cost_usd + excluded.cost_usd, model_turns = model_turns + excluded.model_turns`;
    this.#statements.run(sql, principal, day, costUsd, used.modelTurns);
    const forget = "DELETE FROM days WHERE principal = ? AND day < ?";
    this.#statements.run(forget, principal, day - KEPT_DAYS);
  }
}
