import { LIST_BYTES, LISTED_PROMPT_BYTES, listedBytes } from "../common/list-bounds.ts";
import type { Row } from "../common/row.ts";
import { turnOf } from "../common/turn-row.ts";
import type { Page, TurnFilter, TurnPlace } from "../lists.ts";
import type { SessionChange, SessionRecord, TurnRecord } from "../records.ts";
import type { TurnView } from "../views.ts";
import { hasText, queryOf } from "./prompt-text.ts";
import type { Statements, Value } from "./statements.ts";
import { conditionsOf, turnKeysOf } from "./turn-keys.ts";
import { LISTED_COLUMNS } from "./turn-row.ts";

const ALL_TURNS: TurnFilter = { states: [], since: undefined };

/** Lists of the turns that are on record, each in pages that are bounded in bytes too. */
export class TurnLists {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** As `Store.listTurns`. */
  async ofSession(
    { sessionId, sessionKey }: SessionRecord,
    pageSize: number,
    after: number | undefined,
    filter: TurnFilter = ALL_TURNS,
  ): Promise<Page<TurnRecord, number>> {
    const { since, until, query } = filter;
    const before = after ?? Number.MAX_SAFE_INTEGER;
    const times = [since ?? 0, until ?? Number.MAX_SAFE_INTEGER];
    const values: Value[] = [sessionKey, before, ...times, pageSize + 1];
    const bind = (value: Value) => `$${values.push(value)}`;
    const conditions = [
      ...conditionsOf(filter, bind),
      ...(query === undefined ? [] : [hasText(bind(queryOf(query).text))]),
    ];
    const sql = `SELECT ${LISTED_COLUMNS} FROM turns WHERE session_key = $1 AND turn_key < $2 AND create_time >= $3
      AND create_time < $4 AND remove_time IS NULL ${conditions.map((condition) => `AND ${condition}`).join(" ")}
      ORDER BY turn_key DESC LIMIT $5`;
    const rows = await this.#statements.all(sql, ...values);
    const named = rows.map((row) => ({ ...row, session_id: sessionId }));
    return pageOf(named, pageSize, (row) => Number(row.turn_key));
  }

  /** As `Store.listAllTurns`. */
  async ofAll(
    view: TurnView,
    filter: TurnFilter,
    pageSize: number,
    after: TurnPlace | undefined,
  ): Promise<Page<TurnRecord, TurnPlace>> {
    const keys = turnKeysOf(view, filter, after, pageSize + 1);
    const isSearch = filter.query !== undefined;
    const order = isSearch ? "turn_key" : "turn_id";
    const sql = `SELECT ${LISTED_COLUMNS}, sessions.session_id FROM (${keys.sql}) AS keys
      JOIN turns USING (turn_key) JOIN sessions USING (session_key)
      ORDER BY turns.create_time DESC, turns.${order} DESC`;
    const rows = await this.#statements.all(sql, ...keys.values);
    return pageOf(rows, pageSize, (row) => ({
      createTime: Number(row.create_time),
      turnId: String(row.turn_id),
      ...(isSearch ? { searchKey: Number(row.turn_key) } : {}),
    }));
  }

  /** The session's changes after a cursor, in order. */
  async changesOf(
    { sessionId, sessionKey }: SessionRecord,
    afterCursor: number,
    limit: number,
  ): Promise<SessionChange[]> {
    const from = (
      kind: "start" | "end",
    ) => `(SELECT '${kind}ed' AS change_kind, ${kind}_change AS cursor, ${LISTED_COLUMNS}
      FROM turns WHERE session_key = $1 AND ${kind}_change > $2 AND remove_time IS NULL ORDER BY ${kind}_change LIMIT $3)`;
    const sql = `${from("start")} UNION ALL ${from("end")} ORDER BY cursor LIMIT $3`;
    const changes: SessionChange[] = [];
    let bytes = 0;
    for (const row of await this.#statements.all(sql, sessionKey, afterCursor, limit)) {
      const turn = turnOf({ ...row, session_id: sessionId }, LISTED_PROMPT_BYTES);
      const kind = row.change_kind === "ended" ? "ended" : "started";
      changes.push({ cursor: Number(row.cursor), kind, turn });
      bytes += listedBytes(turn);
      if (bytes > LIST_BYTES) break;
    }
    return changes;
  }
}

function pageOf<P>(
  rows: readonly Row[],
  pageSize: number,
  placeOf: (row: Row) => P,
): Page<TurnRecord, P> {
  const items: TurnRecord[] = [];
  let bytes = 0;
  let last: P | undefined;
  for (const row of rows) {
    if (items.length >= pageSize || bytes > LIST_BYTES) return { items, next: last };
    const turn = turnOf(row, LISTED_PROMPT_BYTES);
    items.push(turn);
    bytes += listedBytes(turn);
    last = placeOf(row);
  }
  return { items, next: undefined };
}
