import { randomUUID } from "node:crypto";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { attachmentBytesOf, sessionOf, snapshotOf } from "../common/session-row.ts";
import { MOST_TOKENS, SPENDING_COLUMNS, spendingValues } from "../common/spending.ts";
import type { SessionRecord, SpendingRecord, WorkspacePlace } from "../records.ts";
import type { SnapshotRecord, SnapshotState } from "../snapshots.ts";
import type { SessionName } from "../views.ts";
import type { TurnStart } from "../writes.ts";
import type { Statements, Value } from "./statements.ts";

/**
 * The sessions that are on record, and those that are off it (`remove_time`) of which something is left.
 *
 * What a list is ordered by, the counts and the sums are kept in the row: a list reads one turn of each.
 */
export class SessionsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  find({ principal, sessionId }: SessionName): Promise<SessionRecord | undefined> {
    const sql =
      "SELECT * FROM sessions WHERE principal = $1 AND session_id = $2 AND remove_time IS NULL";
    return this.#first(sql, principal, sessionId);
  }

  findByKey(sessionKey: string): Promise<SessionRecord | undefined> {
    const sql = "SELECT * FROM sessions WHERE session_key = $1 AND remove_time IS NULL";
    return this.#first(sql, sessionKey);
  }

  /** As `find` or `findByKey`, and locks it for this transaction. */
  findLocked(named: SessionName | string): Promise<SessionRecord | undefined> {
    if (typeof named === "string") {
      const sql =
        "SELECT * FROM sessions WHERE session_key = $1 AND remove_time IS NULL FOR UPDATE";
      return this.#first(sql, named);
    }
    const sql =
      "SELECT * FROM sessions WHERE principal = $1 AND session_id = $2 AND remove_time IS NULL FOR UPDATE";
    return this.#first(sql, named.principal, named.sessionId);
  }

  /** Inserts the session that a turn opens. */
  async open({ principal, time, newSession }: TurnStart, home: string): Promise<SessionRecord> {
    const { sessionId, agentKind, agent, model, workspace, agentSessionId } = newSession;
    // Never the id: another principal's may have it, or one that is being removed, or was in the same breath.
    const sessionKey = randomUUID();
    const sql = `INSERT INTO sessions (session_key, session_id, principal, agent_kind, agent, model, workspace,
      agent_session_id, create_time, last_active_time, home)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *`;
    const opened = [agentKind, agent, model, workspace, agentSessionId, time, time, home];
    return (await this.#first(sql, sessionKey, sessionId, principal, ...opened))!;
  }

  /** Counts a change of the session, and answers its cursor. */
  async nextChange(sessionKey: string): Promise<number> {
    const sql =
      "UPDATE sessions SET change_count = change_count + 1 WHERE session_key = $1 RETURNING change_count";
    return Number((await this.#statements.get(sql, sessionKey))?.change_count);
  }

  /** Counts a turn and its change. Answers the session as it is then. */
  async addTurn(
    sessionKey: string,
    { turnId, time, attachments }: TurnStart,
    state: TurnState,
  ): Promise<SessionRecord> {
    const place = state === TurnState.QUEUED ? "queued_turn_id" : "running_turn_id";
    const sql = `UPDATE sessions SET ${place} = $1, last_active_time = $2, turn_count = turn_count + 1,
      attachment_bytes = attachment_bytes + $3, change_count = change_count + 1 WHERE session_key = $4 RETURNING *`;
    const bytes = attachmentBytesOf(attachments);
    return (await this.#first(sql, turnId, time, bytes, sessionKey))!;
  }

  /** How many sessions a principal has, and the least recently active of them. */
  async countOf(
    principal: string,
  ): Promise<{ readonly count: number; readonly sessionId: string }> {
    const of = "FROM sessions WHERE principal = $1 AND remove_time IS NULL";
    const row = await this.#statements.get(`SELECT count(*) AS count ${of}`, principal);
    const oldest = `SELECT session_id ${of} ORDER BY last_active_time LIMIT 1`;
    const sessionId = (await this.#statements.get(oldest, principal))?.session_id ?? "";
    return { count: Number(row?.count), sessionId: String(sessionId) };
  }

  /** What was sent with a principal's prompts, and the session that has most of it. */
  async attachmentsOf(
    principal: string,
  ): Promise<{ readonly bytes: number; readonly sessionId: string }> {
    const of = "FROM sessions WHERE principal = $1 AND remove_time IS NULL";
    const sum = `SELECT coalesce(sum(attachment_bytes), 0)::bigint AS bytes ${of}`;
    const row = await this.#statements.get(sum, principal);
    const most = `SELECT session_id ${of} ORDER BY attachment_bytes DESC LIMIT 1`;
    const sessionId = (await this.#statements.get(most, principal))?.session_id ?? "";
    return { bytes: Number(row?.bytes), sessionId: String(sessionId) };
  }

  /** As `Store.listWorkspaces`. */
  async listWorkspaces(home: string, limit: number, afterKey: string): Promise<WorkspacePlace[]> {
    const sql = `SELECT session_key, session_id, principal, workspace FROM sessions
      WHERE session_key > $1 AND home = $2 AND remove_time IS NULL ORDER BY session_key LIMIT $3`;
    return (await this.#statements.all(sql, afterKey, home, limit)).map((row) => ({
      sessionKey: String(row.session_key),
      sessionId: String(row.session_id),
      principal: String(row.principal),
      workspace: String(row.workspace),
    }));
  }

  /** Has a session be at home elsewhere, and work there. Answers it as it is then. */
  async move(sessionKey: string, home: string, workspace: string): Promise<SessionRecord> {
    const sql = `UPDATE sessions SET home = $1, workspace = $2, is_moved = true WHERE session_key = $3 RETURNING *`;
    return (await this.#first(sql, home, workspace, sessionKey))!;
  }

  /** What there was of a session is at its home. */
  async recordBrought(sessionKey: string, home: string): Promise<void> {
    const sql = "UPDATE sessions SET is_moved = false WHERE session_key = $1 AND home = $2";
    await this.#statements.run(sql, sessionKey, home);
  }

  /** Has the turn run that waited. */
  async beginQueued(sessionKey: string): Promise<void> {
    const sql =
      "UPDATE sessions SET running_turn_id = queued_turn_id, queued_turn_id = '' WHERE session_key = $1";
    await this.#statements.run(sql, sessionKey);
  }

  async endTurn(
    sessionKey: string,
    turnId: string,
    spending: SpendingRecord,
    time: number,
  ): Promise<void> {
    const sums = SPENDING_COLUMNS.map((column, index) => {
      const isCost = column === "total_cost_usd";
      const value = `$${index + 1}::${isCost ? "double precision" : "bigint"}`;
      const sum = `coalesce(${column}, 0) + ${value}`;
      const kept = isCost ? sum : `least(${sum}, ${MOST_TOKENS})`;
      // What is unknown adds nothing, and makes nothing known.
      return `${column} = CASE WHEN ${value} IS NULL THEN ${column} ELSE ${kept} END`;
    });
    const sql = `UPDATE sessions SET ${sums.join(", ")}, last_active_time = $6,
      running_turn_id = CASE WHEN running_turn_id = $7 THEN '' ELSE running_turn_id END,
      queued_turn_id = CASE WHEN queued_turn_id = $7 THEN '' ELSE queued_turn_id END WHERE session_key = $8`;
    await this.#statements.run(sql, ...spendingValues(spending), time, turnId, sessionKey);
  }

  async setConversation(sessionKey: string, agentSessionId: string): Promise<void> {
    const sql = "UPDATE sessions SET agent_session_id = $1 WHERE session_key = $2";
    await this.#statements.run(sql, agentSessionId, sessionKey);
  }

  /** As `Snapshots.findSnapshot`. */
  async findSnapshot(sessionKey: string): Promise<SnapshotState> {
    const sql = `SELECT snapshot_key, snapshot_time, (SELECT turn_id FROM turns
        WHERE turns.session_key = sessions.session_key AND remove_time IS NULL ORDER BY turn_key DESC LIMIT 1) AS turn_id
      FROM sessions WHERE session_key = $1 AND remove_time IS NULL`;
    return snapshotOf(await this.#statements.get(sql, sessionKey));
  }

  async setSnapshot(sessionKey: string, { key, time }: SnapshotRecord): Promise<void> {
    const sql = "UPDATE sessions SET snapshot_key = $1, snapshot_time = $2 WHERE session_key = $3";
    await this.#statements.run(sql, key, time, sessionKey);
  }

  /** Counts turns that are off the record. */
  async dropTurns(sessionKey: string, turns: number): Promise<void> {
    const sql = "UPDATE sessions SET turn_count = turn_count - $1 WHERE session_key = $2";
    await this.#statements.run(sql, turns, sessionKey);
  }

  /** The session if it has no turn on record. */
  findEmpty(sessionKey: string): Promise<SessionRecord | undefined> {
    const sql =
      "SELECT * FROM sessions WHERE session_key = $1 AND turn_count = 0 AND remove_time IS NULL";
    return this.#first(sql, sessionKey);
  }

  /** Takes a session off the record. */
  async takeOff(sessionKey: string, time: number): Promise<void> {
    const sql = "UPDATE sessions SET remove_time = $1 WHERE session_key = $2";
    await this.#statements.run(sql, time, sessionKey);
  }

  /** A home's sessions off the record whose files may still be there. */
  async listTakenOff(home: string): Promise<SessionRecord[]> {
    const sql =
      "SELECT * FROM sessions WHERE remove_time IS NOT NULL AND NOT files_removed AND home = $1 ORDER BY session_key";
    return (await this.#statements.all(sql, home)).map(sessionOf);
  }

  /** Records that no file is left of the session off the record that had this workspace. Answers its key, if there is one. */
  async recordFilesRemoved(workspace: string): Promise<string | undefined> {
    const sql = `UPDATE sessions SET files_removed = true WHERE workspace = $1 AND remove_time IS NOT NULL
      RETURNING session_key`;
    const row = await this.#statements.get(sql, workspace);
    return row && String(row.session_key);
  }

  /** Whether a session is off the record and neither a file nor a turn of it is left. */
  async isOver(sessionKey: string): Promise<boolean> {
    const sql = `SELECT 1 FROM sessions WHERE session_key = $1 AND remove_time IS NOT NULL AND files_removed
      AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.session_key = $1)`;
    return (await this.#statements.get(sql, sessionKey)) !== undefined;
  }

  async remove(sessionKey: string): Promise<void> {
    await this.#statements.run("DELETE FROM sessions WHERE session_key = $1", sessionKey);
  }

  async #first(sql: string, ...values: Value[]): Promise<SessionRecord | undefined> {
    const row = await this.#statements.get(sql, ...values);
    return row && sessionOf(row);
  }
}
