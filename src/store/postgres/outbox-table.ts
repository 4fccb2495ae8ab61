import type { Row } from "../common/row.ts";
import type { Notification, NotificationKind, UntoldNotification, UntoldPage } from "../outbox.ts";
import type { Statements } from "./statements.ts";

/** No time is later: what is due beyond all times is written so. */
const LATEST = Number.MAX_SAFE_INTEGER;

/** What is yet to be told outside. */
export class OutboxTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async add(
    owner: string,
    turnId: string,
    notifications: readonly Notification[],
    time: number,
  ): Promise<void> {
    const sql = `INSERT INTO outbox (owner, turn_id, sequence, kind, time, due_time)
      VALUES ($1, $2, $3, $4, $5, 0)`;
    for (const { kind, sequence } of notifications) {
      await this.#statements.run(sql, owner, turnId, sequence, kind, time);
    }
  }

  /** As `Outbox.listUntold`. */
  async list(owner: string, time: number, latest: number, limit: number): Promise<UntoldPage> {
    const due = `SELECT outbox.*, (SELECT turns.principal FROM turns JOIN sessions USING (session_key)
        WHERE turns.turn_id = outbox.turn_id AND turns.remove_time IS NULL AND sessions.remove_time IS NULL
      ) AS principal
      FROM outbox WHERE owner = $1 AND (due_time <= $2 OR due_time > $3) ORDER BY due_time, outbox_key LIMIT $4`;
    const rows = await this.#statements.all(due, owner, time, Math.min(latest, LATEST), limit);
    const next = "SELECT min(due_time) AS time FROM outbox WHERE owner = $1 AND due_time > $2";
    const nextTime = (await this.#statements.get(next, owner, time))?.time ?? undefined;
    const items = rows.map(untoldOf);
    return { items, nextTime: nextTime === undefined ? undefined : Number(nextTime) };
  }

  async remove(key: number): Promise<void> {
    await this.#statements.run("DELETE FROM outbox WHERE outbox_key = $1", key);
  }

  async postpone(key: number, dueTime: number): Promise<void> {
    const sql = "UPDATE outbox SET attempts = attempts + 1, due_time = $1 WHERE outbox_key = $2";
    await this.#statements.run(sql, dueTime, key);
  }

  /** As `Outbox.giveUpUntold`. */
  giveUp(owner: string, before: number, limit: number): Promise<number> {
    const sql = `DELETE FROM outbox WHERE outbox_key IN
      (SELECT outbox_key FROM outbox WHERE owner = $1 AND time < $2 ORDER BY time LIMIT $3)`;
    return this.#statements.run(sql, owner, before, limit);
  }
}

function untoldOf(row: Row): UntoldNotification {
  return {
    key: Number(row.outbox_key),
    kind: String(row.kind) as NotificationKind,
    turnId: String(row.turn_id),
    sequence: Number(row.sequence),
    principal: row.principal === null ? undefined : String(row.principal),
    time: Number(row.time),
    attempts: Number(row.attempts),
  };
}
