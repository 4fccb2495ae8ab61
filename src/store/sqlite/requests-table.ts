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
  findStart(start: TurnStart): string | undefined {
    const { principal, requestId, sentSessionId, time } = start;
    if (requestId === "") return undefined;
    const request = this.#find(principal, requestId);
    if (request === undefined) return undefined;
    const forgetTime = forgetTimeOf(request);
    if (forgetTime !== undefined) {
      if (forgetTime >= time) throw notFound("turn");
      const forget = "DELETE FROM requests WHERE principal = ? AND request_id = ?";
      this.#statements.run(forget, principal, requestId);
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

  insertStart(start: TurnStart, sessionId: string): void {
    const { principal, requestId, turnId, sentSessionId } = start;
    if (requestId === "") return;
    const sql = `INSERT INTO requests (principal, request_id, turn_id, session_id, sent_session_id, fingerprint)
      VALUES (?, ?, ?, ?, ?, ?)`;
    const print = fingerprint(start);
    this.#statements.run(sql, principal, requestId, turnId, sessionId, sentSessionId, print);
  }

  /** As `Store.findSteer`. */
  findSteer(turnId: string, steer: SteerRequest): number | undefined {
    const request = this.#find(steer.principal, steer.requestId);
    if (request === undefined) return undefined;
    if (forgetTimeOf(request) !== undefined) throw notFound("turn");
    const same =
      request.sequence !== null &&
      request.turn_id === turnId &&
      steerFingerprint(steer).equals(request.fingerprint as Uint8Array);
    if (!same) throw requestIdReused("turn or message");
    return Number(request.sequence);
  }

  insertSteer(steer: SteerRequest, turnId: string, sequence: number): void {
    const { principal, requestId } = steer;
    // Another request took the id in the same moment: the turn must not fail for it.
    const sql = `INSERT OR IGNORE INTO requests (principal, request_id, turn_id, session_id, sent_session_id, fingerprint, sequence)
      VALUES (?, ?, ?, '', '', ?, ?)`;
    this.#statements.run(sql, principal, requestId, turnId, steerFingerprint(steer), sequence);
  }

  /** Has requests of a turn that is off the record refused until their time is over, at most so many. Answers how many. */
  refuseOf(turnId: string, removeTime: number, most: number): number {
    const sql = `UPDATE requests SET forget_time = ? WHERE (principal, request_id) IN
      (SELECT principal, request_id FROM requests WHERE turn_id = ? AND forget_time IS NULL LIMIT ?)`;
    return this.#statements.run(sql, removeTime + KEPT_MS, turnId, most);
  }

  /** Removes some of the requests whose time is over. */
  forget(time: number): void {
    const sql = `DELETE FROM requests WHERE (principal, request_id) IN
      (SELECT principal, request_id FROM requests WHERE forget_time < ? LIMIT ${FORGOTTEN_AT_ONCE})`;
    this.#statements.run(sql, time);
  }

  #find(principal: string, requestId: string): Row | undefined {
    const sql = `SELECT requests.*, coalesce(turns.remove_time, sessions.remove_time) AS remove_time FROM requests
      LEFT JOIN turns USING (turn_id) LEFT JOIN sessions USING (session_key)
      WHERE requests.principal = ? AND request_id = ?`;
    return this.#statements.get(sql, principal, requestId);
  }
}
