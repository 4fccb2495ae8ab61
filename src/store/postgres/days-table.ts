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

  async get(principal: string, time: number): Promise<DaySpending> {
    const day = dayOf(time);
    const sql = "SELECT cost_usd, model_turns FROM days WHERE principal = $1 AND day = $2";
    const row = await this.#statements.get(sql, principal, day);
    if (row === undefined) return { day, costUsd: 0, modelTurns: 0 };
    return { day, costUsd: Number(row.cost_usd), modelTurns: Number(row.model_turns) };
  }

  /** A turn has ended that used so much. */
  async add(principal: string, time: number, used: Used): Promise<void> {
    const costUsd = Number.isFinite(used.costUsd) ? used.costUsd : 0;
    if (costUsd === 0 && used.modelTurns === 0) return;
    const day = dayOf(time);
    const sql = `INSERT INTO days (principal, day, cost_usd, model_turns) VALUES ($1, $2, $3, $4)
      ON CONFLICT (principal, day) DO UPDATE
        SET cost_usd = days.cost_usd + excluded.cost_usd, model_turns = days.model_turns + excluded.model_turns`;
    await this.#statements.run(sql, principal, day, costUsd, used.modelTurns);
    const forget = "DELETE FROM days WHERE principal = $1 AND day < $2";
    await this.#statements.run(forget, principal, day - KEPT_DAYS);
  }
}
