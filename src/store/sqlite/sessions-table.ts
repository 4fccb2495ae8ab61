import { randomUUID } from "node:crypto";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { cutText } from "../../stream/cut-text.ts";
import { granteesOf, sharesOf } from "../common/grantee-text.ts";
import type { Row } from "../common/row.ts";
import { attachmentBytesOf, sessionOf, snapshotOf } from "../common/session-row.ts";
import { MOST_TOKENS, SPENDING_COLUMNS, spendingValues } from "../common/spending.ts";
import type { ListedSession, Page, SessionPlace } from "../lists.ts";
import type { SessionRecord, SpendingRecord, WorkspacePlace } from "../records.ts";
import type { SnapshotRecord, SnapshotState } from "../snapshots.ts";
import type { SessionName, SessionView } from "../views.ts";
import type { TurnStart } from "../writes.ts";
import { SHARES_COLUMN } from "./shares-table.ts";
import type { Statements, Value } from "./statements.ts";

const LAST_PROMPT_BYTES = 256;
/** A session, with what a list shows of its newest turn. */
const LISTED = `SELECT sessions.*, last.turn_id AS last_turn_id, last.state AS last_state,
  substr(last.prompt, 1, ${LAST_PROMPT_BYTES}) AS last_prompt, ${SHARES_COLUMN} FROM sessions LEFT JOIN turns AS last
  ON last.turn_key = (SELECT turn_key FROM turns WHERE turns.session_key = sessions.session_key AND turns.remove_time IS NULL
    ORDER BY turn_key DESC LIMIT 1)`;

/** Lists of keys, each read in its order from an index: ?1, ?2 and ?3 are the place. */
const BEHIND = "(last_active_time, session_id, principal) < (?1, ?2, ?3)";
const NEWEST_FIRST = "ORDER BY last_active_time DESC, session_id DESC, principal DESC";
const keysOf = (table: string, whose: string) =>
  `SELECT session_key, last_active_time, session_id, principal FROM ${table} WHERE ${whose} AND ${BEHIND}`;
const LIST_ALL = `${keysOf("sessions", "remove_time IS NULL")} ${NEWEST_FIRST}`;

/** ?4 is the principal; so many behind it are whom they are shared with. */
function listSql(grantees: number): string {
  const shared = Array.from({ length: grantees }, (_, index) =>
    keysOf("shares", `grantee = ?${index + 5}`),
  );
  const own = keysOf("sessions", "principal = ?4 AND remove_time IS NULL");
  return `${[own, ...shared].join(" UNION ALL ")} ${NEWEST_FIRST}`;
}

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

  find({ principal, sessionId }: SessionName): SessionRecord | undefined {
    const sql =
      "SELECT * FROM sessions WHERE principal = ? AND session_id = ? AND remove_time IS NULL";
    return this.#first(sql, principal, sessionId);
  }

  /** A session as `Store.getSession` answers it, whoever may see it. */
  describe({ principal, sessionId }: SessionName): ListedSession | undefined {
    const sql = `${LISTED} WHERE sessions.principal = ? AND session_id = ? AND sessions.remove_time IS NULL`;
    const row = this.#statements.get(sql, principal, sessionId);
    return row && listedOf(row);
  }

  findByKey(sessionKey: string): SessionRecord | undefined {
    const sql = "SELECT * FROM sessions WHERE session_key = ? AND remove_time IS NULL";
    return this.#first(sql, sessionKey);
  }

  /** As `Store.listSessions`. */
  list(
    view: SessionView,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Page<ListedSession, SessionPlace> {
    const place = [after?.lastActiveTime ?? Number.MAX_SAFE_INTEGER, after?.sessionId ?? ""];
    const grantees = granteesOf(view);
    const keys = view.seesAll
      ? this.#statements.iterate(LIST_ALL, ...place, after?.principal ?? "")
      : this.#statements.iterate(
          listSql(grantees.length),
          ...[...place, after?.principal ?? "", view.principal, ...grantees],
        );
    const sql = `${LISTED} WHERE sessions.session_key = ? AND sessions.remove_time IS NULL`;
    const items: ListedSession[] = [];
    let last: Value | undefined;
    for (const { session_key: key } of keys) {
      // One that is shared more than once stands there so often, one after the other.
      const row = key === last ? undefined : this.#statements.get(sql, key as Value);
      last = key as Value;
      if (row === undefined) continue;
      if (items.length >= pageSize) return { items, next: placeOf(items.at(-1)!) };
      items.push(listedOf(row));
    }
    return { items, next: undefined };
  }

  /** Inserts the session that a turn opens. */
  open({ principal, time, newSession }: TurnStart, home: string): SessionRecord {
    const { sessionId, agentKind, agent, model, workspace, agentSessionId } = newSession;
    // Never the id: another principal's may have it, or one that is being removed, or was in the same breath.
    const sessionKey = randomUUID();
    const sql = `INSERT INTO sessions (session_key, session_id, principal, agent_kind, agent, model, workspace,
      agent_session_id, create_time, last_active_time, home) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    const opened = [agentKind, agent, model, workspace, agentSessionId, time, time, home];
    this.#statements.run(sql, sessionKey, sessionId, principal, ...opened);
    return this.findByKey(sessionKey)!;
  }

  /** Counts a change of the session, and answers its cursor. */
  nextChange(sessionKey: string): number {
    const sql =
      "UPDATE sessions SET change_count = change_count + 1 WHERE session_key = ? RETURNING change_count";
    return Number(this.#statements.get(sql, sessionKey)?.change_count);
  }

  addTurn(sessionKey: string, { turnId, time, attachments }: TurnStart, state: TurnState): void {
    const place = state === TurnState.QUEUED ? "queued_turn_id" : "running_turn_id";
    const sql = `UPDATE sessions SET ${place} = ?, last_active_time = ?, turn_count = turn_count + 1,
      attachment_bytes = attachment_bytes + ? WHERE session_key = ?`;
    this.#statements.run(sql, turnId, time, attachmentBytesOf(attachments), sessionKey);
  }

  /** How many sessions a principal has, and the least recently active of them. */
  countOf(principal: string): { readonly count: number; readonly sessionId: string } {
    const of = "FROM sessions WHERE principal = ? AND remove_time IS NULL";
    const count = this.#statements.get(`SELECT count(*) AS count ${of}`, principal)?.count;
    const oldest = `SELECT session_id ${of} ORDER BY last_active_time LIMIT 1`;
    const sessionId = this.#statements.get(oldest, principal)?.session_id ?? "";
    return { count: Number(count), sessionId: String(sessionId) };
  }

  /** What was sent with a principal's prompts, and the session that has most of it. */
  attachmentsOf(principal: string): { readonly bytes: number; readonly sessionId: string } {
    const of = "FROM sessions WHERE principal = ? AND remove_time IS NULL";
    const bytes = this.#statements.get(`SELECT sum(attachment_bytes) AS bytes ${of}`, principal);
    const most = `SELECT session_id ${of} ORDER BY attachment_bytes DESC LIMIT 1`;
    const sessionId = this.#statements.get(most, principal)?.session_id ?? "";
    return { bytes: Number(bytes?.bytes ?? 0), sessionId: String(sessionId) };
  }

  /** As `Store.listWorkspaces`. */
  listWorkspaces(home: string, limit: number, afterKey: string): WorkspacePlace[] {
    const sql = `SELECT session_key, session_id, principal, workspace FROM sessions
      WHERE session_key > ? AND home = ? AND remove_time IS NULL ORDER BY session_key LIMIT ?`;
    return this.#statements.all(sql, afterKey, home, limit).map((row) => ({
      sessionKey: String(row.session_key),
      sessionId: String(row.session_id),
      principal: String(row.principal),
      workspace: String(row.workspace),
    }));
  }

  /** Has a session be at home elsewhere, and work there. */
  move(sessionKey: string, home: string, workspace: string): void {
    const sql = "UPDATE sessions SET home = ?, workspace = ?, is_moved = 1 WHERE session_key = ?";
    this.#statements.run(sql, home, workspace, sessionKey);
  }

  /** What there was of a session is at its home. */
  recordBrought(sessionKey: string, home: string): void {
    const sql = "UPDATE sessions SET is_moved = 0 WHERE session_key = ? AND home = ?";
    this.#statements.run(sql, sessionKey, home);
  }

  /** Has the turn run that waited. */
  beginQueued(sessionKey: string): void {
    const sql =
      "UPDATE sessions SET running_turn_id = queued_turn_id, queued_turn_id = '' WHERE session_key = ?";
    this.#statements.run(sql, sessionKey);
  }

  endTurn(sessionKey: string, turnId: string, spending: SpendingRecord, time: number): void {
    const sums = SPENDING_COLUMNS.map((column, index) => {
      const sum = `coalesce(${column}, 0) + ?${index + 1}`;
      const kept = column === "total_cost_usd" ? sum : `min(${sum}, ${MOST_TOKENS})`;
      // What is unknown adds nothing, and makes nothing known.
      return `${column} = iif(?${index + 1} IS NULL, ${column}, ${kept})`;
    });
    const sql = `UPDATE sessions SET ${sums.join(", ")}, last_active_time = ?6,
      running_turn_id = iif(running_turn_id = ?7, '', running_turn_id),
      queued_turn_id = iif(queued_turn_id = ?7, '', queued_turn_id) WHERE session_key = ?8`;
    this.#statements.run(sql, ...spendingValues(spending), time, turnId, sessionKey);
  }

  /** As `Snapshots.findSnapshot`. */
  findSnapshot(sessionKey: string): SnapshotState {
    const sql = `SELECT snapshot_key, snapshot_time, (SELECT turn_id FROM turns
        WHERE turns.session_key = sessions.session_key AND remove_time IS NULL ORDER BY turn_key DESC LIMIT 1) AS turn_id
      FROM sessions WHERE session_key = ? AND remove_time IS NULL`;
    return snapshotOf(this.#statements.get(sql, sessionKey));
  }

  setSnapshot(sessionKey: string, { key, time }: SnapshotRecord): void {
    const sql = "UPDATE sessions SET snapshot_key = ?, snapshot_time = ? WHERE session_key = ?";
    this.#statements.run(sql, key, time, sessionKey);
  }

  setConversation(sessionKey: string, agentSessionId: string): void {
    const sql = "UPDATE sessions SET agent_session_id = ? WHERE session_key = ?";
    this.#statements.run(sql, agentSessionId, sessionKey);
  }

  /** Counts a turn that is off the record. */
  dropTurn(sessionKey: string): void {
    const sql = "UPDATE sessions SET turn_count = turn_count - 1 WHERE session_key = ?";
    this.#statements.run(sql, sessionKey);
  }

  /** The session if it has no turn on record. */
  findEmpty(sessionKey: string): SessionRecord | undefined {
    const sql =
      "SELECT * FROM sessions WHERE session_key = ? AND turn_count = 0 AND remove_time IS NULL";
    return this.#first(sql, sessionKey);
  }

  /** Takes a session off the record. */
  takeOff(sessionKey: string, time: number): void {
    const sql = "UPDATE sessions SET remove_time = ? WHERE session_key = ?";
    this.#statements.run(sql, time, sessionKey);
  }

  /** A home's sessions off the record whose files may still be there. */
  listTakenOff(home: string): SessionRecord[] {
    const sql =
      "SELECT * FROM sessions WHERE remove_time IS NOT NULL AND files_removed = 0 AND home = ?";
    return this.#statements.all(sql, home).map(sessionOf);
  }

  /** Records that no file is left of the session off the record that had this workspace. Answers its key, if there is one. */
  recordFilesRemoved(workspace: string): string | undefined {
    const sql = `UPDATE sessions SET files_removed = 1 WHERE workspace = ? AND remove_time IS NOT NULL
      RETURNING session_key`;
    const row = this.#statements.get(sql, workspace);
    return row && String(row.session_key);
  }

  /** Whether a session is off the record and neither a file nor a turn of it is left. */
  isOver(sessionKey: string): boolean {
    const sql = `SELECT 1 FROM sessions WHERE session_key = ?1 AND remove_time IS NOT NULL AND files_removed = 1
      AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.session_key = ?1)`;
    return this.#statements.get(sql, sessionKey) !== undefined;
  }

  remove(sessionKey: string): void {
    this.#statements.run("DELETE FROM sessions WHERE session_key = ?", sessionKey);
  }

  #first(sql: string, ...values: Value[]): SessionRecord | undefined {
    const row = this.#statements.get(sql, ...values);
    return row && sessionOf(row);
  }
}

function placeOf({ lastActiveTime, sessionId, principal }: ListedSession): SessionPlace {
  return { lastActiveTime, sessionId, principal };
}

function listedOf(row: Row): ListedSession {
  const { last_turn_id: turnId, last_state: state, last_prompt: prompt } = row;
  const lastTurn =
    turnId === null
      ? undefined
      : {
          turnId: String(turnId),
          state: state as TurnState,
          prompt: cutText(String(prompt), LAST_PROMPT_BYTES),
        };
  return { ...sessionOf(row), lastTurn, shares: sharesOf(row) };
}
