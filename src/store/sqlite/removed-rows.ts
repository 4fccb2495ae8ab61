import type { Statements } from "./statements.ts";

/** How long a request is refused whose turn is off the record. */
export const REQUEST_KEPT_MS = 24 * 3600 * 1000;
/** What one piece may cost: other turns' events wait for it (measured: 2 ms, and 7 for an event of 1 MB). */
const PIECE_BYTES = 256 * 1024;
/** What a row costs beside its bytes. */
const ROW_BYTES = 256;
const PIECE_ROWS = PIECE_BYTES / ROW_BYTES;

/** A turn that is off the record, by itself or with its session. */
interface RemovedTurn {
  readonly turnKey: number;
  readonly turnId: string;
  readonly sessionKey: string;
  readonly removeTime: number;
  readonly promptBytes: number;
}

/**
 * What is off the record and still in the database, and its removal piece by piece.
 *
 * 1. A turn's row goes behind its events and its requests' marks, a session's behind its turns: whatever interrupts it, the
 *    next piece goes on.
 * 2. What is on record is not touched.
 */
export class RemovedRows {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Removes one piece; answers whether there is more. To be called inside a transaction. */
  removeSome(): boolean {
    let left = PIECE_BYTES;
    for (let turn = this.#next(); turn !== undefined; turn = this.#next()) {
      left -= this.#removeEvents(turn.turnKey, left);
      if (left <= 0) return true;
      left -= this.#forgetRequests(turn);
      if (left <= 0) return true;
      this.#statements.run("DELETE FROM turns WHERE turn_key = ?", turn.turnKey);
      this.removeSession(turn.sessionKey);
      left -= ROW_BYTES + turn.promptBytes;
      if (left <= 0) return true;
    }
    return false;
  }

  /** Removes a session's row, where the session is off the record and nothing of it is left. */
  removeSession(sessionKey: string): void {
    const sql = `SELECT 1 FROM sessions WHERE session_key = ?1 AND remove_time IS NOT NULL AND files_removed = 1
      AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.session_key = ?1)`;
    if (this.#statements.get(sql, sessionKey) === undefined) return;
    this.#statements.run("DELETE FROM conversations WHERE session_key = ?", sessionKey);
    this.#statements.run("DELETE FROM sessions WHERE session_key = ?", sessionKey);
  }

  #next(): RemovedTurn | undefined {
    const columns =
      "turn_key, turn_id, turns.session_key, octet_length(prompt) AS prompt_bytes, turns.remove_time";
    const alone = `SELECT ${columns} FROM turns WHERE remove_time IS NOT NULL LIMIT 1`;
    const withSession = `SELECT ${columns}, sessions.remove_time AS session_remove_time
      FROM sessions CROSS JOIN turns USING (session_key) WHERE sessions.remove_time IS NOT NULL LIMIT 1`;
    const row = this.#statements.get(alone) ?? this.#statements.get(withSession);
    if (row === undefined) return undefined;
    return {
      turnKey: Number(row.turn_key),
      turnId: String(row.turn_id),
      sessionKey: String(row.session_key),
      removeTime: Number(row.remove_time ?? row.session_remove_time),
      promptBytes: Number(row.prompt_bytes),
    };
  }

  /** Removes a turn's first events, for about `most`, at least one if any. Answers what it cost: `most` where some are left. */
  #removeEvents(turnKey: number, most: number): number {
    // The length of a large event is known without reading it.
    const sql = `SELECT sequence, octet_length(event) AS bytes FROM events WHERE turn_key = ?
      ORDER BY sequence LIMIT ${PIECE_ROWS}`;
    let cost = 0;
    let last = 0;
    for (const { sequence, bytes } of this.#statements.prepare(sql).iterate(turnKey)) {
      if (cost >= most) break;
      last = Number(sequence);
      cost += ROW_BYTES + Number(bytes);
    }
    if (cost === 0) return 0;
    this.#statements.run("DELETE FROM events WHERE turn_key = ? AND sequence <= ?", turnKey, last);
    const isLeft = "SELECT 1 FROM events WHERE turn_key = ? LIMIT 1";
    return this.#statements.get(isLeft, turnKey) === undefined ? cost : Math.max(cost, most);
  }

  /** Has requests of a turn refused until their time is over. Answers what it cost: a whole piece where some are left. */
  #forgetRequests({ turnId, removeTime }: RemovedTurn): number {
    const sql = `UPDATE requests SET forget_time = ? WHERE (principal, request_id) IN (SELECT principal, request_id
      FROM requests WHERE turn_id = ? AND forget_time IS NULL LIMIT ${PIECE_ROWS / 2})`;
    const marked = this.#statements.run(sql, removeTime + REQUEST_KEPT_MS, turnId);
    return marked < PIECE_ROWS / 2 ? marked * ROW_BYTES : PIECE_BYTES;
  }
}
