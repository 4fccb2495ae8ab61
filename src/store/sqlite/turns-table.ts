import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import type { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { notFound } from "../../errors.ts";
import { SPENDING_COLUMNS, spendingValues } from "../common/spending.ts";
import { turnOf } from "../common/turn-row.ts";
import type { LeftTurn, SessionRecord, TurnRecord } from "../records.ts";
import type { TurnEndRecord, TurnStart } from "../writes.ts";
import type { Statements } from "./statements.ts";
import { LAST_SEQUENCE } from "./turn-row.ts";

/** GetTurn's answer must fit into a response: a longer prompt is cut. */
const WHOLE_PROMPT_BYTES = 2_900_000;
/**
 * The highest sequence that anything tells was given to a turn's events. Of a store that was rescued from damage the newest
 * events may be missing, and a request that became one of them be there.
 */
const GIVEN_SEQUENCE = `max(turns.end_sequence, coalesce(
  (SELECT max(sequence) FROM requests WHERE requests.turn_id = turns.turn_id), 0)) AS given_sequence`;
/** A turn that is on record, and its session's id. */
const TURN_ON_RECORD = `FROM turns JOIN sessions USING (session_key)
  WHERE turn_id = ? AND turns.remove_time IS NULL AND sessions.remove_time IS NULL`;

/** What appending to a turn needs to know of it. */
export interface AppendedTurn {
  readonly turnKey: number;
  readonly sessionKey: string;
  readonly principal: string;
  readonly state: TurnState;
  readonly lastSequence: number;
  readonly epoch: number;
}

/** A turn that is off the record, by itself or with its session. */
export interface RemovedTurn {
  readonly turnKey: number;
  readonly turnId: string;
  readonly sessionKey: string;
  readonly searchKey: number;
  readonly removeTime: number;
  readonly promptBytes: number;
}

/** The turns that are on record, and those that are off it (`remove_time`, their own or their session's) and still there. */
export class TurnsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Answers its key. */
  insert(
    start: TurnStart,
    session: SessionRecord,
    state: TurnState,
    change: number,
    epoch: number,
    searchKey: number,
  ): number {
    const sql = `INSERT INTO turns (turn_id, session_key, state, prompt, principal, model, agent, create_time, origin,
      cause_turn_id, permission_mode, attachments, start_change, epoch, search_key, session_principal)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING turn_key`;
    const row = this.#statements.get(
      sql,
      ...[start.turnId, session.sessionKey, state, start.prompt],
      ...[start.principal || session.principal, start.model || session.model],
      ...[start.agent || session.agent, start.time],
      ...[start.origin, start.causeTurnId, start.permissionMode],
      ...[JSON.stringify(start.attachments), change, epoch, searchKey, session.principal],
    );
    return Number(row?.turn_key);
  }

  /** A turn that is on record, whoever may see it. */
  find(turnId: string): TurnRecord | undefined {
    const sql = `SELECT turns.*, sessions.session_id, ${LAST_SEQUENCE} ${TURN_ON_RECORD}`;
    const row = this.#statements.get(sql, turnId);
    return row && turnOf(row, WHOLE_PROMPT_BYTES);
  }

  /** The key of a turn that is on record. */
  findKey(turnId: string): number | undefined {
    const row = this.#statements.get(`SELECT turn_key ${TURN_ON_RECORD}`, turnId);
    return row && Number(row.turn_key);
  }

  /** @throws Refusal NOT_FOUND */
  getAppended(turnId: string): AppendedTurn {
    const sql = `SELECT turn_key, session_key, principal, state, epoch, ${LAST_SEQUENCE} FROM turns WHERE turn_id = ?`;
    const row = this.#statements.get(sql, turnId);
    if (row === undefined) throw notFound("turn");
    return {
      turnKey: Number(row.turn_key),
      sessionKey: String(row.session_key),
      principal: String(row.principal),
      state: row.state as TurnState,
      lastSequence: Number(row.last_sequence),
      epoch: Number(row.epoch),
    };
  }

  /** The last sequence of a turn that a server left, also where its event is missing. */
  lastGiven(turnId: string): number {
    const sql = `SELECT ${GIVEN_SEQUENCE}, ${LAST_SEQUENCE} FROM turns WHERE turn_id = ?`;
    const row = this.#statements.get(sql, turnId);
    return Math.max(Number(row?.given_sequence), Number(row?.last_sequence));
  }

  originOf(turnId: string): TurnOrigin | undefined {
    const row = this.#statements.get("SELECT origin FROM turns WHERE turn_id = ?", turnId);
    return row?.origin as TurnOrigin | undefined;
  }

  /** Has a turn run that waits. Answers the key of its session; undefined where it does not wait. */
  begin(turnId: string): string | undefined {
    const sql = "UPDATE turns SET state = ? WHERE turn_id = ? AND state = ? RETURNING session_key";
    const row = this.#statements.get(sql, TurnState.RUNNING, turnId, TurnState.QUEUED);
    return row && String(row.session_key);
  }

  setState(turnKey: number, state: TurnState): void {
    this.#statements.run("UPDATE turns SET state = ? WHERE turn_key = ?", state, turnKey);
  }

  end(turnKey: number, lastSequence: number, end: TurnEndRecord, change: number, time: number) {
    const spent = SPENDING_COLUMNS.map((column) => `${column} = ?`).join(", ");
    const sql = `UPDATE turns SET state = ?, error_reason = ?, end_sequence = ?, end_time = ?, end_change = ?,
      permission_denial_count = ?, ${spent} WHERE turn_key = ?`;
    this.#statements.run(
      sql,
      ...[end.state, end.errorReason, lastSequence, time, change],
      ...[end.permissionDenialCount, ...spendingValues(end), turnKey],
    );
  }

  /** The homes of the turns without an end. */
  listUnendedHomes(): string[] {
    const sql = `SELECT DISTINCT home FROM turns JOIN sessions USING (session_key) WHERE end_time IS NULL`;
    return this.#statements.all(sql).map(({ home }) => String(home));
  }

  /** The home of a turn without an end. Undefined: it has ended, or is not there. */
  homeOfUnended(turnId: string): string | undefined {
    const sql = `SELECT home FROM turns JOIN sessions USING (session_key) WHERE turn_id = ? AND end_time IS NULL`;
    const row = this.#statements.get(sql, turnId);
    return row && String(row.home);
  }

  /** A home's turns without an end that were recorded under leases that have ended. */
  listLeft(home: string, isEnded: (epoch: number) => boolean): LeftTurn[] {
    const sql = `SELECT turn_id, session_key, sessions.session_id, ${LAST_SEQUENCE}, ${GIVEN_SEQUENCE}, state, epoch
      FROM turns JOIN sessions USING (session_key) WHERE end_time IS NULL AND home = ? ORDER BY turn_key`;
    const left = this.#statements.all(sql, home).filter(({ epoch }) => isEnded(Number(epoch)));
    return left.map((row) => ({
      turnId: String(row.turn_id),
      sessionId: String(row.session_id),
      sessionKey: String(row.session_key),
      lastSequence: Number(row.last_sequence),
      ...(Number(row.given_sequence) > Number(row.last_sequence)
        ? { lostUpTo: Number(row.given_sequence) }
        : {}),
      wasQueued: row.state === TurnState.QUEUED,
    }));
  }

  /**
   * Takes turns that ended before a time off the record, the oldest first. Answers the keys of each and of its session.
   *
   * @param except - The homes whose sessions are left alone.
   */
  takeOffEnded(before: number, limit: number, time: number, except: readonly string[]) {
    const sql = `UPDATE turns SET remove_time = ? WHERE turn_key IN (SELECT turn_key FROM turns CROSS JOIN sessions USING (session_key)
      WHERE end_time < ? AND turns.remove_time IS NULL AND home NOT IN (SELECT value FROM json_each(?))
      ORDER BY end_time LIMIT ?) RETURNING turn_key, session_key`;
    const rows = this.#statements.all(sql, time, before, JSON.stringify(except), limit);
    return rows.map((row) => ({
      turnKey: Number(row.turn_key),
      sessionKey: String(row.session_key),
    }));
  }

  /** One of those that are off the record. */
  findRemoved(): RemovedTurn | undefined {
    const columns =
      "turn_key, turn_id, turns.session_key, search_key, octet_length(prompt) AS prompt_bytes, turns.remove_time";
    const alone = `SELECT ${columns} FROM turns WHERE remove_time IS NOT NULL LIMIT 1`;
    const withSession = `SELECT ${columns}, sessions.remove_time AS session_remove_time
      FROM sessions CROSS JOIN turns USING (session_key) WHERE sessions.remove_time IS NOT NULL LIMIT 1`;
    const row = this.#statements.get(alone) ?? this.#statements.get(withSession);
    if (row === undefined) return undefined;
    return {
      turnKey: Number(row.turn_key),
      turnId: String(row.turn_id),
      sessionKey: String(row.session_key),
      searchKey: Number(row.search_key),
      removeTime: Number(row.remove_time ?? row.session_remove_time),
      promptBytes: Number(row.prompt_bytes),
    };
  }

  remove(turnKey: number): void {
    this.#statements.run("DELETE FROM turns WHERE turn_key = ?", turnKey);
  }
}
