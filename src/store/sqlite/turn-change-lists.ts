import type { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { granteeOf } from "../common/grantee-text.ts";
import { LISTED_PROMPT_BYTES, listedBytes } from "../common/list-bounds.ts";
import type { Row } from "../common/row.ts";
import { changeOf, pastLastChange } from "../common/turn-change.ts";
import { turnOf } from "../common/turn-row.ts";
import type { RemovedChanges, TurnChange, TurnChanges } from "../records.ts";
import type { Statements } from "./statements.ts";
import type { TurnChangesTable } from "./turn-changes-table.ts";
import { LISTED_COLUMNS } from "./turn-lists.ts";

/** Who watches and does not read holds a part of it: less than what one event may have. */
const PAGE_BYTES = 1_000_000;
/** Of turns on record, in the order of the changes. */
const changesIn = (
  table: string,
) => `SELECT cursor, kind, came_into, past_states, event_sequence, grantee,
  (SELECT json_group_array(grantee) FROM shares WHERE shares.session_key = sessions.session_key) AS shared_with,
  ${LISTED_COLUMNS}, sessions.session_id
  FROM ${table} CROSS JOIN turns USING (turn_key) CROSS JOIN sessions USING (session_key)
  WHERE cursor > ? AND turns.remove_time IS NULL AND sessions.remove_time IS NULL`;

/** Lists of the changes of all turns, whoever may see them. */
export class TurnChangeLists {
  readonly #statements: Statements;
  readonly #table: TurnChangesTable;

  constructor(statements: Statements, table: TurnChangesTable) {
    this.#statements = statements;
    this.#table = table;
  }

  /** As `Store.listTurnChanges`. */
  all(afterCursor: number, limit: number): TurnChanges {
    return this.#list(`${changesIn("turn_changes")} ORDER BY cursor`, afterCursor, limit);
  }

  /** As `Store.listStandingChanges`. */
  standing(afterCursor: number, limit: number): TurnChanges {
    const table = "turn_changes INDEXED BY turn_changes_standing";
    const sql = `${changesIn(table)} AND is_standing = 1 ORDER BY cursor`;
    return this.#list(sql, afterCursor, limit);
  }

  #list(sql: string, afterCursor: number, limit: number): TurnChanges {
    const newest = this.#table.newest();
    if (afterCursor > newest) throw pastLastChange(newest);
    const changes: TurnChange[] = [];
    const removed = this.#removedAfter(afterCursor);
    let bytes = 0;
    for (const row of this.#statements.iterate(sql, afterCursor)) {
      if (changes.length >= limit || bytes >= PAGE_BYTES) {
        return { changes, cursor: changes.at(-1)!.cursor, newest, removed };
      }
      const event = this.#eventOf(row);
      // A store that was rescued from damage may lack it: that is no reason to tell nobody of anything any more.
      if (event === undefined && row.event_sequence !== null) continue;
      const change = changeOf(row, turnOf(row, LISTED_PROMPT_BYTES), event);
      changes.push(change);
      bytes += listedBytes(change.turn) + (event?.length ?? 0);
    }
    return { changes, cursor: newest, newest, removed };
  }

  #eventOf({ turn_key: turnKey, event_sequence: sequence }: Row): Uint8Array | undefined {
    if (sequence === null) return undefined;
    const sql = "SELECT event FROM events WHERE turn_key = ? AND sequence = ?";
    const row = this.#statements.get(sql, Number(turnKey), Number(sequence));
    return row?.event as Uint8Array | undefined;
  }

  #removedAfter(cursor: number): RemovedChanges[] {
    const sql = "SELECT grantee, permission_mode, cursor FROM removed_changes WHERE cursor > ?";
    return this.#statements.all(sql, cursor).map((row) => ({
      seenBy: [granteeOf(String(row.grantee))],
      permissionMode: row.permission_mode as PermissionMode,
      cursor: Number(row.cursor),
    }));
  }
}
