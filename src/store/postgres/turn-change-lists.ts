import type { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { granteeOf } from "../common/grantee-text.ts";
import { LISTED_PROMPT_BYTES, listedBytes } from "../common/list-bounds.ts";
import { changeOf, pastLastChange } from "../common/turn-change.ts";
import { turnOf } from "../common/turn-row.ts";
import type { RemovedChanges, TurnChange, TurnChanges } from "../records.ts";
import type { Statements } from "./statements.ts";
import type { TurnChangesTable } from "./turn-changes-table.ts";
import { LISTED_COLUMNS } from "./turn-row.ts";

/** Who watches and does not read holds a part of it: less than what one event may have. */
const PAGE_BYTES = 1_000_000;
/** So many changes are read at once: fewer may fit into a page. */
const READ_AT_ONCE = 100;
/** Of turns on record, in the order of the changes. */
const listSql = (
  which: string,
) => `SELECT turn_changes.cursor, kind, came_into, past_states, event_sequence, turn_changes.grantee,
  (SELECT coalesce(json_agg(grantee ORDER BY grantee), '[]')::text FROM shares WHERE shares.session_key = sessions.session_key) AS shared_with,
  (SELECT event FROM events WHERE events.turn_id = turns.turn_id AND sequence = event_sequence) AS event,
  ${LISTED_COLUMNS}, sessions.session_id
  FROM turn_changes JOIN turns USING (turn_key) JOIN sessions USING (session_key)
  WHERE cursor > $1 AND cursor <= $2 AND turns.remove_time IS NULL AND sessions.remove_time IS NULL ${which}
  ORDER BY cursor LIMIT $3`;

/** Lists of the changes of all turns, whoever may see them. */
export class TurnChangeLists {
  readonly #statements: Statements;
  readonly #table: TurnChangesTable;

  constructor(statements: Statements, table: TurnChangesTable) {
    this.#statements = statements;
    this.#table = table;
  }

  /** As `Store.listTurnChanges`. */
  all(afterCursor: number, limit: number): Promise<TurnChanges> {
    return this.#list(listSql(""), afterCursor, limit);
  }

  /** As `Store.listStandingChanges`. */
  standing(afterCursor: number, limit: number): Promise<TurnChanges> {
    return this.#list(listSql("AND is_standing"), afterCursor, limit);
  }

  async #list(sql: string, afterCursor: number, limit: number): Promise<TurnChanges> {
    const newest = await this.#table.newest();
    if (afterCursor > newest) throw pastLastChange(newest);
    const changes: TurnChange[] = [];
    const removed = await this.#removedAfter(afterCursor);
    let [bytes, read] = [0, afterCursor];
    for (;;) {
      // What was written since `newest` was read is for the next call.
      const rows = await this.#statements.all(sql, read, newest, READ_AT_ONCE);
      for (const row of rows) {
        if (changes.length >= limit || bytes >= PAGE_BYTES) {
          return { changes, cursor: changes.at(-1)!.cursor, newest, removed };
        }
        const event = (row.event as Uint8Array | null) ?? undefined;
        read = Number(row.cursor);
        // A store that was rescued from damage may lack it: that is no reason to tell nobody of anything any more.
        if (event === undefined && row.event_sequence !== null) continue;
        const change = changeOf(row, turnOf(row, LISTED_PROMPT_BYTES), event);
        changes.push(change);
        bytes += listedBytes(change.turn) + (event?.length ?? 0);
      }
      if (rows.length < READ_AT_ONCE) return { changes, cursor: newest, newest, removed };
    }
  }

  async #removedAfter(cursor: number): Promise<RemovedChanges[]> {
    const sql = `SELECT grantee, permission_mode, cursor FROM removed_changes WHERE cursor > $1
      ORDER BY grantee, permission_mode`;
    return (await this.#statements.all(sql, cursor)).map((row) => ({
      seenBy: [granteeOf(String(row.grantee))],
      permissionMode: row.permission_mode as PermissionMode,
      cursor: Number(row.cursor),
    }));
  }
}
