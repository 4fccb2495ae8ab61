import type { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import type { TurnChangeKind } from "../records.ts";
import type { ApprovalMark } from "../writes.ts";
import type { Statements } from "./statements.ts";

/** As they are kept. */
export const CHANGE_KINDS: readonly TurnChangeKind[] = [
  "started",
  "changed",
  "ended",
  "approvalRequested",
  "approvalResolved",
];

/**
 * The changes of all turns, in one order.
 *
 * 1. One is written in the commit of what it tells of. An event that changes nothing writes none.
 * 2. A change stands where it says how things are now: the newest state of a turn that has not ended, an approval that is not
 *    decided.
 * 3. What goes off the record leaves behind up to where changes of such turns were, for who asks for them later.
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

  // 3.
  #takeOff(which: string, value: string): void {
    const sql = `INSERT INTO removed_changes (principal, permission_mode, cursor)
      SELECT principal, permission_mode, max(cursor) FROM turns CROSS JOIN turn_changes USING (turn_key) WHERE ${which}
      GROUP BY principal, permission_mode
      ON CONFLICT (principal, permission_mode) DO UPDATE SET cursor = max(cursor, excluded.cursor)`;
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
