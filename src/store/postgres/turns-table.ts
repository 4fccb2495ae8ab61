import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import type { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { notFound } from "../../errors.ts";
import type { Row } from "../common/row.ts";
import { SPENDING_COLUMNS, spendingValues } from "../common/spending.ts";
import { turnOf } from "../common/turn-row.ts";
import type { LeftTurn, SessionRecord, TurnRecord } from "../records.ts";
import type { TurnEndRecord, TurnStart } from "../writes.ts";
import { indexedText } from "./prompt-text.ts";
import type { Statements } from "./statements.ts";
import { isTurnId } from "./turn-id.ts";
import { LAST_SEQUENCE, WHOLE_COLUMNS } from "./turn-row.ts";

/** GetTurn's answer must fit into a response: a longer prompt is cut. */
const WHOLE_PROMPT_BYTES = 2_900_000;
/**
 * The highest sequence that anything tells was given to a turn's events. Of a store that was rescued from damage the newest
 * events may be missing, and a request that became one of them be there.
 */
const GIVEN_SEQUENCE = `greatest(turns.end_sequence, coalesce(
  (SELECT max(sequence) FROM requests WHERE requests.turn_id = turns.turn_id), 0)) AS given_sequence`;
/** A turn that is on record, and its session's id. */
const TURN_ON_RECORD = `FROM turns JOIN sessions USING (session_key)
  WHERE turn_id = $1 AND turns.remove_time IS NULL AND sessions.remove_time IS NULL`;

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
  async insert(
    start: TurnStart,
    session: SessionRecord,
    state: TurnState,
    change: number,
    epoch: number,
  ): Promise<number> {
    const sql = `INSERT INTO turns (turn_id, session_key, state, prompt, principal, model, agent, create_time, origin,
      cause_turn_id, permission_mode, attachments, start_change, epoch, session_principal, searched_text, trigrams)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) RETURNING turn_key`;
    const { text, trigrams } = indexedText(start.prompt);
    const row = await this.#statements.get(
      sql,
      ...[start.turnId, session.sessionKey, state, Buffer.from(start.prompt)],
      ...[start.principal || session.principal, start.model || session.model],
      ...[start.agent || session.agent, start.time],
      ...[start.origin, start.causeTurnId, start.permissionMode],
      ...[JSON.stringify(start.attachments), change, epoch, session.principal, text, trigrams],
    );
    return Number(row?.turn_key);
  }

  /** A turn that is on record, whoever may see it. */
  async find(turnId: string): Promise<TurnRecord | undefined> {
    if (!isTurnId(turnId)) return undefined;
    const sql = `SELECT ${WHOLE_COLUMNS}, sessions.session_id ${TURN_ON_RECORD}`;
    const row = await this.#statements.get(sql, turnId);
    return row && turnOf(row, WHOLE_PROMPT_BYTES);
  }

  /** Whether a turn is on record. */
  async isOnRecord(turnId: string): Promise<boolean> {
    if (!isTurnId(turnId)) return false;
    return (await this.#statements.get(`SELECT 1 ${TURN_ON_RECORD}`, turnId)) !== undefined;
  }

  /** @throws Refusal NOT_FOUND */
  async getAppended(turnId: string): Promise<AppendedTurn> {
    if (!isTurnId(turnId)) throw notFound("turn");
    const sql = `SELECT turn_key, session_key, principal, state, epoch, ${LAST_SEQUENCE} FROM turns WHERE turn_id = $1`;
    const row = await this.#statements.get(sql, turnId);
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

  /** Locks a turn that a server left: of several who end it one is the first, and the others see its end. */
  async lock(turnId: string): Promise<void> {
    await this.#statements.run("SELECT 1 FROM turns WHERE turn_id = $1 FOR UPDATE", turnId);
  }

  /** The last sequence of a turn that a server left, also where its event is missing. */
  async lastGiven(turnId: string): Promise<number> {
    const sql = `SELECT ${GIVEN_SEQUENCE}, ${LAST_SEQUENCE} FROM turns WHERE turn_id = $1`;
    const row = await this.#statements.get(sql, turnId);
    return Math.max(Number(row?.given_sequence), Number(row?.last_sequence));
  }

  async originOf(turnId: string): Promise<TurnOrigin | undefined> {
    const row = await this.#statements.get("SELECT origin FROM turns WHERE turn_id = $1", turnId);
    return row?.origin as TurnOrigin | undefined;
  }

  /** Has a turn run that waits. Answers the key of its session; undefined where it does not wait. */
  async begin(turnId: string): Promise<string | undefined> {
    const sql =
      "UPDATE turns SET state = $1 WHERE turn_id = $2 AND state = $3 RETURNING session_key";
    const row = await this.#statements.get(sql, TurnState.RUNNING, turnId, TurnState.QUEUED);
    return row && String(row.session_key);
  }

  async setState(turnKey: number, state: TurnState): Promise<void> {
    await this.#statements.run("UPDATE turns SET state = $1 WHERE turn_key = $2", state, turnKey);
  }

  async end(
    turnKey: number,
    lastSequence: number,
    end: TurnEndRecord,
    change: number,
    time: number,
  ): Promise<void> {
    const spent = SPENDING_COLUMNS.map((column, index) => `${column} = $${index + 8}`).join(", ");
    const sql = `UPDATE turns SET state = $1, error_reason = $2, end_sequence = $3, end_time = $4, end_change = $5,
      permission_denial_count = $6, ${spent} WHERE turn_key = $7`;
    await this.#statements.run(
      sql,
      ...[end.state, end.errorReason, lastSequence, time, change],
      ...[end.permissionDenialCount, turnKey, ...spendingValues(end)],
    );
  }

  /** A home's turns without an end that were recorded under leases that have ended. */
  async listLeft(home: string): Promise<LeftTurn[]> {
    const sql = `SELECT turn_id, turns.session_key, sessions.session_id, ${LAST_SEQUENCE}, ${GIVEN_SEQUENCE}, state
      FROM turns JOIN sessions USING (session_key) WHERE end_time IS NULL AND home = $1
      AND epoch NOT IN (SELECT incarnation FROM replicas WHERE NOT fenced) ORDER BY turn_key`;
    return (await this.#statements.all(sql, home)).map(leftOf);
  }

  /**
   * Takes turns that ended before a time off the record, the oldest first. Answers the keys of each and of its session.
   *
   * @param except - The homes whose sessions are left alone.
   */
  async takeOffEnded(before: number, limit: number, time: number, except: readonly string[]) {
    const sql = `UPDATE turns SET remove_time = $1 WHERE turn_key IN (SELECT turn_key FROM turns JOIN sessions USING (session_key)
      WHERE end_time < $2 AND turns.remove_time IS NULL AND home <> ALL ($3::text[])
      ORDER BY end_time, turn_key LIMIT $4 FOR UPDATE OF turns) RETURNING turn_key, session_key`;
    const rows = await this.#statements.all(sql, time, before, except, limit);
    return rows.map((row) => ({
      turnKey: Number(row.turn_key),
      sessionKey: String(row.session_key),
    }));
  }

  /** One of those that are off the record. */
  async findRemoved(): Promise<RemovedTurn | undefined> {
    const columns =
      "turn_key, turn_id, turns.session_key, octet_length(prompt) AS prompt_bytes, turns.remove_time";
    const alone = `SELECT ${columns} FROM turns WHERE remove_time IS NOT NULL LIMIT 1`;
    const withSession = `SELECT ${columns}, sessions.remove_time AS session_remove_time
      FROM sessions JOIN turns USING (session_key) WHERE sessions.remove_time IS NOT NULL LIMIT 1`;
    const row = (await this.#statements.get(alone)) ?? (await this.#statements.get(withSession));
    if (row === undefined) return undefined;
    return {
      turnKey: Number(row.turn_key),
      turnId: String(row.turn_id),
      sessionKey: String(row.session_key),
      removeTime: Number(row.remove_time ?? row.session_remove_time),
      promptBytes: Number(row.prompt_bytes),
    };
  }

  async remove(turnKey: number): Promise<void> {
    await this.#statements.run("DELETE FROM turns WHERE turn_key = $1", turnKey);
  }
}

function leftOf(row: Row): LeftTurn {
  const given = Number(row.given_sequence);
  return {
    turnId: String(row.turn_id),
    sessionId: String(row.session_id),
    sessionKey: String(row.session_key),
    lastSequence: Number(row.last_sequence),
    ...(given > Number(row.last_sequence) ? { lostUpTo: given } : {}),
    wasQueued: row.state === TurnState.QUEUED,
  };
}
