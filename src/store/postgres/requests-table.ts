import { notFound } from "../../errors.ts";
import {
  fingerprint,
  forgetTimeOf,
  KEPT_MS,
  requestIdReused,
  steerFingerprint,
} from "../common/request-fingerprint.ts";
import type { Row } from "../common/row.ts";
import type { SteerRequest, TurnStart } from "../writes.ts";
import type { Statements } from "./statements.ts";

/** So many requests that are no longer kept leave in one commit. */
const FORGOTTEN_AT_ONCE = 500;

/** What was asked under an id: a turn, or a message for a running one. Outlives its turn, so that a late retry runs nothing. */
export class RequestsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /**
   * The id of the turn that the same request started; undefined where there is none, or none any more.
   *
   * @throws Refusal NOT_FOUND where the turn was deleted, REQUEST_ID_REUSED.
   */
  async findStart(start: TurnStart): Promise<string | undefined> {
    const { principal, requestId, sentSessionId, time } = start;
    if (requestId === "") return undefined;
    const request = await this.#find(principal, requestId);
    if (request === undefined) return undefined;
    const forgetTime = forgetTimeOf(request);
    if (forgetTime !== undefined) {
      if (forgetTime >= time) throw notFound("turn");
      const forget = "DELETE FROM requests WHERE principal = $1 AND request_id = $2";
      await this.#statements.run(forget, principal, requestId);
      return undefined;
    }
    const sameSession =
      sentSessionId === request.sent_session_id || sentSessionId === request.session_id;
    const same = fingerprint(start).equals(request.fingerprint as Uint8Array);
    if (request.sequence !== null || !sameSession || !same) {
      throw requestIdReused(
        "session, prompt, model, agent, kind of agent, permission mode or attachments",
      );
    }
    return String(request.turn_id);
  }

  /** Answers whether it is there now: another server may have taken the id in the same moment. */
  async insertStart(start: TurnStart, sessionId: string): Promise<boolean> {
    const { principal, requestId, turnId, sentSessionId } = start;
    if (requestId === "") return true;
    const sql = `INSERT INTO requests (principal, request_id, turn_id, session_id, sent_session_id, fingerprint)
      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`;
    const print = fingerprint(start);
    const values = [principal, requestId, turnId, sessionId, sentSessionId, print];
    return (await this.#statements.run(sql, ...values)) > 0;
  }

  /** As `Store.findSteer`. */
  async findSteer(turnId: string, steer: SteerRequest): Promise<number | undefined> {
    const request = await this.#find(steer.principal, steer.requestId);
    if (request === undefined) return undefined;
    if (forgetTimeOf(request) !== undefined) throw notFound("turn");
    const same =
      request.sequence !== null &&
      request.turn_id === turnId &&
      steerFingerprint(steer).equals(request.fingerprint as Uint8Array);
    if (!same) throw requestIdReused("turn or message");
    return Number(request.sequence);
  }

  async insertSteer(steer: SteerRequest, turnId: string, sequence: number): Promise<void> {
    const { principal, requestId } = steer;
    // Another request took the id in the same moment: the turn must not fail for it.
    const sql = `INSERT INTO requests (principal, request_id, turn_id, session_id, sent_session_id, fingerprint, sequence)
      VALUES ($1, $2, $3, '', '', $4, $5) ON CONFLICT DO NOTHING`;
    const print = steerFingerprint(steer);
    await this.#statements.run(sql, principal, requestId, turnId, print, sequence);
  }

  /** Has requests of a turn that is off the record refused until their time is over, at most so many. Answers how many. */
  refuseOf(turnId: string, removeTime: number, most: number): Promise<number> {
    const sql = `UPDATE requests SET forget_time = $1 WHERE (principal, request_id) IN
      (SELECT principal, request_id FROM requests WHERE turn_id = $2 AND forget_time IS NULL LIMIT $3)`;
    return this.#statements.run(sql, removeTime + KEPT_MS, turnId, most);
  }

  /** Removes some of the requests whose time is over. */
  async forget(time: number): Promise<void> {
    const sql = `DELETE FROM requests WHERE (principal, request_id) IN
      (SELECT principal, request_id FROM requests WHERE forget_time < $1 LIMIT ${FORGOTTEN_AT_ONCE})`;
    await this.#statements.run(sql, time);
  }

  #find(principal: string, requestId: string): Promise<Row | undefined> {
    const sql = `SELECT requests.*, coalesce(turns.remove_time, sessions.remove_time) AS remove_time FROM requests
      LEFT JOIN turns USING (turn_id) LEFT JOIN sessions USING (session_key)
      WHERE requests.principal = $1 AND request_id = $2`;
    return this.#statements.get(sql, principal, requestId);
  }
}
