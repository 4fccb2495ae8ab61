import type { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { CHANGE_KINDS } from "../common/turn-change.ts";
import type { TurnChangeKind } from "../records.ts";
import type { ApprovalMark } from "../writes.ts";
import type { Statements } from "./statements.ts";

/**
 * The changes of all turns, in one order.
 *
 * 1. One is written in the commit of what it tells of. An event that changes nothing writes none.
 * 2. A change stands where it says how things are now: the newest state of a turn that has not ended, an approval that is not
 *    decided.
 * 3. Whom a session comes to be shared with is told what stands in it as a change that comes then: the changes before it may
 *    lie behind the cursor that they watch from. Of what stands the first telling is enough.
 * 4. What goes off the record leaves behind up to where changes of such turns were, for who asks for them later.
 */
export class TurnChangesTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** A turn came into a state. */
  addState(turnKey: number, kind: "started" | "changed" | "ended", state: TurnState): void {
    const isEnd = kind === "ended";
    const sql = `UPDATE turn_changes SET is_standing = 0 WHERE turn_key = ? AND is_standing = 1
      ${isEnd ? "" : "AND approval_id IS NULL"}`;
    this.#statements.run(sql, turnKey); // 2.
    this.#insert(turnKey, kind, state, undefined, !isEnd);
  }

  /** An approval is asked for or decided in a turn, which is in a state. */
  addApproval(turnKey: number, state: TurnState, approval: ApprovalMark): void {
    const { approvalId, isRequest } = approval;
    if (!isRequest) {
      const sql =
        "UPDATE turn_changes SET is_standing = 0 WHERE turn_key = ? AND is_standing = 1 AND approval_id = ?";
      this.#statements.run(sql, turnKey, approvalId); // 2.
    }
    const kind = isRequest ? "approvalRequested" : "approvalResolved";
    this.#insert(turnKey, kind, state, approval, isRequest);
  }

  /** A session is shared with somebody, as they stand in rows. */
  retell(sessionKey: string, grantee: string): void {
    const sql = `INSERT INTO turn_changes (turn_key, kind, came_into, past_states, event_sequence, is_standing, grantee)
      SELECT turn_key, kind, came_into, past_states, event_sequence, 0, ? FROM turn_changes
      WHERE is_standing = 1 AND turn_key IN (SELECT turn_key FROM turns WHERE session_key = ? AND end_time IS NULL)
      ORDER BY cursor`;
    this.#statements.run(sql, grantee, sessionKey); // 3.
  }

  /** The cursor of the newest change that there ever was. 1: there was none. */
  newest(): number {
    const sql = "SELECT seq FROM sqlite_sequence WHERE name = 'turn_changes'";
    return Number(this.#statements.get(sql)?.seq ?? 0);
  }

  /** Notes that turns are off the record. */
  takeOffTurns(turnKeys: readonly number[]): void {
    this.#takeOff("turn_key IN (SELECT value FROM json_each(?))", JSON.stringify(turnKeys));
  }

  /** Notes that a session is off the record. */
  takeOffSession(sessionKey: string): void {
    this.#takeOff("session_key = ?", sessionKey);
  }

  /** Removes some of a turn's. Answers how many: `most` where some may be left. */
  removeOf(turnKey: number, most: number): number {
    const sql =
      "DELETE FROM turn_changes WHERE cursor IN (SELECT cursor FROM turn_changes WHERE turn_key = ? LIMIT ?)";
    return this.#statements.run(sql, turnKey, most);
  }

  // 4.
  #takeOff(which: string, value: string): void {
    const last = `SELECT session_key, session_principal, permission_mode, max(cursor) AS cursor
      FROM turns CROSS JOIN turn_changes USING (turn_key) WHERE ${which} GROUP BY session_key, session_principal, permission_mode`;
    const sql = `INSERT INTO removed_changes (grantee, permission_mode, cursor)
      WITH last AS (${last}), seen AS (
        SELECT 'principal ' || session_principal AS grantee, permission_mode, cursor FROM last
        UNION ALL SELECT grantee, permission_mode, cursor FROM last CROSS JOIN shares USING (session_key))
      SELECT grantee, permission_mode, max(cursor) FROM seen WHERE true GROUP BY grantee, permission_mode
      ON CONFLICT (grantee, permission_mode) DO UPDATE SET cursor = max(cursor, excluded.cursor)`;
    this.#statements.run(sql, value);
  }

  #insert(
    turnKey: number,
    kind: TurnChangeKind,
    state: TurnState,
    approval: ApprovalMark | undefined,
    isStanding: boolean,
  ): void {
    const sql = `INSERT INTO turn_changes (turn_key, kind, came_into, past_states, event_sequence, approval_id, is_standing)
      VALUES (?1, ?2, ?3, ?4 | coalesce((SELECT past_states FROM turn_changes WHERE turn_key = ?1 ORDER BY cursor DESC LIMIT 1), 0),
        ?5, ?6, ?7)`;
    this.#statements.run(
      sql,
      ...[turnKey, CHANGE_KINDS.indexOf(kind), state, 1 << state],
      ...[approval?.sequence ?? null, approval?.approvalId ?? null, Number(isStanding)],
    );
  }
}
