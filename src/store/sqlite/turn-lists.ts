import { LIST_BYTES, LISTED_PROMPT_BYTES, listedBytes } from "../common/list-bounds.ts";
import type { Row } from "../common/row.ts";
import { SPENDING_COLUMNS } from "../common/spending.ts";
import { turnOf } from "../common/turn-row.ts";
import type { Page, TurnFilter, TurnPlace } from "../lists.ts";
import { foldCase } from "../prompt-text.ts";
import type { SessionChange, SessionRecord, TurnRecord } from "../records.ts";
import type { TurnView } from "../views.ts";
import { HAS_TEXT } from "./prompt-index.ts";
import type { Statements, Value } from "./statements.ts";
import { conditionsOf, TurnKeys } from "./turn-keys.ts";
import { LAST_SEQUENCE } from "./turn-row.ts";

/** A turn, without a long prompt and without its session's id. Counting a prompt's characters would read all of it once more. */
export const LISTED_COLUMNS = `turn_key, turn_id, session_key, state, error_reason, turns.principal, session_principal, turns.model, turns.agent, ${LAST_SEQUENCE},
  turns.create_time, end_time, substr(prompt, 1, ${LISTED_PROMPT_BYTES}) AS prompt,
  octet_length(prompt) > ${LISTED_PROMPT_BYTES} AS prompt_cut, origin, cause_turn_id, permission_mode, permission_denial_count,
  attachments, turns.epoch, ${SPENDING_COLUMNS.map((column) => `turns.${column}`).join(", ")}`;
const ALL_TURNS: TurnFilter = { states: [], since: undefined };

/** Lists of the turns that are on record, each in pages that are bounded in bytes too. */
export class TurnLists {
  readonly #statements: Statements;
  readonly #keys: TurnKeys;

  constructor(statements: Statements) {
    this.#statements = statements;
    this.#keys = new TurnKeys(statements);
  }

  /** As `Store.listTurns`. */
  ofSession(
    { sessionId, sessionKey }: SessionRecord,
    pageSize: number,
    after: number | undefined,
    filter: TurnFilter = ALL_TURNS,
  ): Page<TurnRecord, number> {
    const { since, until, query } = filter;
    const { sql: conditions, values } = conditionsOf(filter);
    const sql = `SELECT ${LISTED_COLUMNS} FROM turns WHERE session_key = ? AND turn_key < ? AND create_time >= ?
      AND create_time < ? AND remove_time IS NULL ${conditions} ${query === undefined ? "" : `AND ${HAS_TEXT}`}
      ORDER BY turn_key DESC`;
    const before = after ?? Number.MAX_SAFE_INTEGER;
    const place = [sessionKey, before, since ?? 0, until ?? Number.MAX_SAFE_INTEGER];
    const text = query === undefined ? [] : [foldCase(query)];
    const rows = this.#statements.iterate(sql, ...place, ...values, ...text);
    return pageOf(withSession(rows, sessionId), pageSize, (row) => Number(row.turn_key));
  }

  /** As `Store.listAllTurns`. */
  ofAll(
    view: TurnView,
    filter: TurnFilter,
    pageSize: number,
    after: TurnPlace | undefined,
  ): Page<TurnRecord, TurnPlace> {
    const found = this.#keys.of(view, filter, after);
    return pageOf(this.#rowsOf(found), pageSize, (row) => ({
      createTime: Number(row.create_time),
      turnId: String(row.turn_id),
      ...(filter.query === undefined ? {} : { searchKey: Number(row.search_key) }),
    }));
  }

  /** The session's changes after a cursor, in order. */
  changesOf(
    { sessionId, sessionKey }: SessionRecord,
    afterCursor: number,
    limit: number,
  ): SessionChange[] {
    const from = (kind: "start" | "end") => `SELECT * FROM (
      SELECT '${kind}ed' AS kind, ${kind}_change AS cursor, ${LISTED_COLUMNS} FROM turns
      WHERE session_key = ?1 AND ${kind}_change > ?2 AND remove_time IS NULL ORDER BY ${kind}_change LIMIT ?3)`;
    const sql = `${from("start")} UNION ALL ${from("end")} ORDER BY cursor LIMIT ?3`;
    const changes: SessionChange[] = [];
    let bytes = 0;
    for (const row of this.#statements.iterate(sql, sessionKey, afterCursor, limit)) {
      const turn = turnOf({ ...row, session_id: sessionId }, LISTED_PROMPT_BYTES);
      const kind = row.kind === "ended" ? "ended" : "started";
      changes.push({ cursor: Number(row.cursor), kind, turn });
      bytes += listedBytes(turn);
      if (bytes > LIST_BYTES) break;
    }
    return changes;
  }

  /**
   * The turns of keys, each once, but for those whose session is off the record. Joined in SQL they would be sorted once more.
   */
  *#rowsOf(keys: Iterable<Row>): Iterable<Row> {
    const sql = `SELECT ${LISTED_COLUMNS}, search_key, sessions.session_id FROM turns JOIN sessions USING (session_key)
      WHERE turn_key = ? AND sessions.remove_time IS NULL`;
    let last: Value | undefined;
    for (const { turn_key: key } of keys) {
      // One that is seen by more than one part stands there so often, one after the other.
      const row = key === last ? undefined : this.#statements.get(sql, key as Value);
      last = key as Value;
      if (row !== undefined) yield row;
    }
  }
}

function pageOf<P>(
  rows: Iterable<Row>,
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

function* withSession(rows: Iterable<Row>, sessionId: string): Iterable<Row> {
  for (const row of rows) yield { ...row, session_id: sessionId };
}
