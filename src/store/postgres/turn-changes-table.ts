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
 * 5. Cursors are counted in a row that is locked until the commit: who sees one sees all before it. A sequence of the
 *    database's would give them out in another order than that in which they can be seen.
 */
export class TurnChangesTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** A turn came into a state. */
  async addState(
    turnKey: number,
    kind: "started" | "changed" | "ended",
    state: TurnState,
  ): Promise<void> {
    const isEnd = kind === "ended";
    const sql = `UPDATE turn_changes SET is_standing = false WHERE turn_key = $1 AND is_standing
      ${isEnd ? "" : "AND approval_id IS NULL"}`;
    if (kind !== "started") await this.#statements.run(sql, turnKey); // 2.
    await this.#insert(turnKey, kind, state, undefined, !isEnd);
  }

  /** An approval is asked for or decided in a turn, which is in a state. */
  async addApproval(turnKey: number, state: TurnState, approval: ApprovalMark): Promise<void> {
    const { approvalId, isRequest } = approval;
    if (!isRequest) {
      const sql =
        "UPDATE turn_changes SET is_standing = false WHERE turn_key = $1 AND is_standing AND approval_id = $2";
      await this.#statements.run(sql, turnKey, approvalId); // 2.
    }
    const kind = isRequest ? "approvalRequested" : "approvalResolved";
    await this.#insert(turnKey, kind, state, approval, isRequest);
  }

  /** A session is shared with somebody, as they stand in rows. */
  async retell(sessionKey: string, grantee: string): Promise<void> {
    const sql = `WITH standing AS (
        SELECT *, row_number() OVER (ORDER BY cursor) AS place FROM turn_changes
        WHERE is_standing AND turn_key IN (SELECT turn_key FROM turns WHERE session_key = $2 AND end_time IS NULL)),
      counted AS (UPDATE newest_change SET cursor = cursor + (SELECT count(*) FROM standing) RETURNING cursor)
      INSERT INTO turn_changes (cursor, turn_key, kind, came_into, past_states, event_sequence, is_standing, grantee)
      SELECT counted.cursor - (SELECT count(*) FROM standing) + place, turn_key, kind, came_into, past_states,
        event_sequence, false, $1 FROM standing, counted`;
    await this.#statements.run(sql, grantee, sessionKey); // 3.
  }

  /** The cursor of the newest change that there ever was. 1: there was none. */
  async newest(): Promise<number> {
    return Number((await this.#statements.get("SELECT cursor FROM newest_change"))?.cursor);
  }

  /** Notes that turns are off the record. */
  takeOffTurns(turnKeys: readonly number[]): Promise<void> {
    return this.#takeOff("turn_key = ANY ($1::bigint[])", turnKeys);
  }

  /** Notes that a session is off the record. */
  takeOffSession(sessionKey: string): Promise<void> {
    return this.#takeOff("session_key = $1", sessionKey);
  }

  /** Removes some of a turn's. Answers how many: `most` where some may be left. */
  removeOf(turnKey: number, most: number): Promise<number> {
    const sql =
      "DELETE FROM turn_changes WHERE cursor IN (SELECT cursor FROM turn_changes WHERE turn_key = $1 LIMIT $2)";
    return this.#statements.run(sql, turnKey, most);
  }

  // 4.
  async #takeOff(which: string, value: string | readonly number[]): Promise<void> {
    const last = `SELECT session_key, session_principal, permission_mode, max(cursor) AS cursor
      FROM turns JOIN turn_changes USING (turn_key) WHERE ${which} GROUP BY session_key, session_principal, permission_mode`;
    const sql = `INSERT INTO removed_changes (grantee, permission_mode, cursor)
      WITH last AS (${last}), seen AS (
        SELECT 'principal ' || session_principal AS grantee, permission_mode, cursor FROM last
        UNION ALL SELECT grantee, permission_mode, cursor FROM last JOIN shares USING (session_key))
      SELECT grantee, permission_mode, max(cursor) FROM seen GROUP BY grantee, permission_mode ORDER BY 1, 2
      ON CONFLICT (grantee, permission_mode) DO UPDATE SET cursor = greatest(removed_changes.cursor, excluded.cursor)`;
    await this.#statements.run(sql, value);
  }

  async #insert(
    turnKey: number,
    kind: TurnChangeKind,
    state: TurnState,
    approval: ApprovalMark | undefined,
    isStanding: boolean,
  ): Promise<void> {
    // 5.
    const sql = `WITH counted AS (UPDATE newest_change SET cursor = cursor + 1 RETURNING cursor)
      INSERT INTO turn_changes (cursor, turn_key, kind, came_into, past_states, event_sequence, approval_id, is_standing)
      SELECT cursor, $1, $2, $3, $4 | coalesce((SELECT past_states FROM turn_changes WHERE turn_key = $1 ORDER BY cursor DESC LIMIT 1), 0),
        $5, $6, $7::int = 1 FROM counted`;
    await this.#statements.run(
      sql,
      ...[turnKey, CHANGE_KINDS.indexOf(kind), state, 1 << state],
      ...[approval?.sequence ?? null, approval?.approvalId ?? null, Number(isStanding)],
    );
  }
}
