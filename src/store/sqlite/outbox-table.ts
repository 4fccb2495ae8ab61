import type { Row } from "../common/row.ts";
import type { Notification, NotificationKind, UntoldNotification, UntoldPage } from "../outbox.ts";
import type { Statements } from "./statements.ts";

/** What is yet to be told outside. */
export class OutboxTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  add(owner: string, turnId: string, notifications: readonly Notification[], time: number): void {
    const sql = `INSERT INTO outbox (owner, turn_id, sequence, kind, time, due_time)
      VALUES (?, ?, ?, ?, ?, 0)`;
    for (const { kind, sequence } of notifications) {
      this.#statements.run(sql, owner, turnId, sequence, kind, time);
    }
  }

  /** As `Outbox.listUntold`. */
  list(owner: string, time: number, latest: number, limit: number): UntoldPage {
    const due = `SELECT outbox.*, (SELECT turns.principal FROM turns JOIN sessions USING (session_key)
        WHERE turns.turn_id = outbox.turn_id AND turns.remove_time IS NULL AND sessions.remove_time IS NULL
      ) AS principal
      FROM outbox WHERE owner = ? AND (due_time <= ? OR due_time > ?) ORDER BY due_time, outbox_key LIMIT ?`;
    const items = this.#statements.all(due, owner, time, latest, limit).map(untoldOf);
    const next = "SELECT min(due_time) AS time FROM outbox WHERE owner = ? AND due_time > ?";
    const nextTime = this.#statements.get(next, owner, time)?.time ?? undefined;
    return { items, nextTime: nextTime === undefined ? undefined : Number(nextTime) };
  }

  remove(key: number): void {
    this.#statements.run("DELETE FROM outbox WHERE outbox_key = ?", key);
  }

  postpone(key: number, dueTime: number): void {
    const sql = "UPDATE outbox SET attempts = attempts + 1, due_time = ? WHERE outbox_key = ?";
    this.#statements.run(sql, dueTime, key);
  }

  /** As `Outbox.giveUpUntold`. */
  giveUp(owner: string, before: number, limit: number): number {
    const sql = `DELETE FROM outbox WHERE outbox_key IN
      (SELECT outbox_key FROM outbox WHERE owner = ? AND time < ? ORDER BY time LIMIT ?)`;
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
