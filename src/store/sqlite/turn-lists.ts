import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { Page, TurnFilter, TurnPlace, TurnView } from "../lists.ts";
import type { SessionChange, SessionRecord, TurnRecord } from "../records.ts";
import { granteesOf } from "./shares-table.ts";
import { SPENDING_COLUMNS } from "./spending.ts";
import type { Row, Statements, Value } from "./statements.ts";
import { LAST_SEQUENCE, turnOf } from "./turn-row.ts";

const LISTED_PROMPT_BYTES = 4096;
/** Below the 3 MiB of a response, with room for what is not the prompt. */
const LIST_BYTES = 2_500_000;
/** A turn, without a long prompt and without its session's id. Counting a prompt's characters would read all of it once more. */
const LISTED_COLUMNS = `turn_key, turn_id, session_key, state, error_reason, turns.principal, session_principal, turns.model, turns.agent, ${LAST_SEQUENCE},
  turns.create_time, end_time, substr(prompt, 1, ${LISTED_PROMPT_BYTES}) AS prompt,
  octet_length(prompt) > ${LISTED_PROMPT_BYTES} AS prompt_cut, origin, cause_turn_id, permission_mode, permission_denial_count,
  attachments, turns.epoch, ${SPENDING_COLUMNS.map((column) => `turns.${column}`).join(", ")}`;
/** Behind every text that is an id. */
const LAST_ID = "~";

const STATES = Object.values(TurnState).filter(
  (state) => typeof state === "number" && state !== TurnState.UNSPECIFIED,
) as TurnState[];

const ALL_TURNS: TurnFilter = { states: [], since: undefined };

/**
 * Lists of the turns that are on record, each in pages that are bounded in bytes too.
 *
 * 1. A page over all sessions costs what is on it, however many turns there are: it is merged of a part for each state of what
 *    is their own, what asks, and what is shared with each of their names (or of all, for who sees all), and each part is read in its order from an index.
 */
export class TurnLists {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** As `Store.listTurns`. */
  ofSession(
    { sessionId, sessionKey }: SessionRecord,
    pageSize: number,
    after: number | undefined,
    { states, since }: TurnFilter = ALL_TURNS,
  ): Page<TurnRecord, number> {
    const inStates = states.length === 0 ? "" : `AND state IN (${states.map(Number).join()})`;
    const sql = `SELECT ${LISTED_COLUMNS} FROM turns WHERE session_key = ? AND turn_key < ? AND create_time >= ?
      AND remove_time IS NULL ${inStates} ORDER BY turn_key DESC`;
    const before = after ?? Number.MAX_SAFE_INTEGER;
    const rows = this.#statements.iterate(sql, sessionKey, before, since ?? 0);
    return pageOf(withSession(rows, sessionId), pageSize, (row) => Number(row.turn_key));
  }

  /** As `Store.listAllTurns`. */
  ofAll(
    view: TurnView,
    { states, since }: TurnFilter,
    pageSize: number,
    after: TurnPlace | undefined,
  ): Page<TurnRecord, TurnPlace> {
    const place = [after?.createTime ?? Number.MAX_SAFE_INTEGER, after?.turnId ?? LAST_ID];
    const names = view.seesAll ? [] : [view.principal, ...granteesOf(view)];
    const found = this.#statements.iterate(
      allSql(states.length === 0 ? STATES : states, view, names.length),
      ...[since ?? 0, ...place, ...names],
    );
    return pageOf(this.#rowsOf(found), pageSize, (row) => ({
      createTime: Number(row.create_time),
      turnId: String(row.turn_id),
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
    const sql = `SELECT ${LISTED_COLUMNS}, sessions.session_id FROM turns JOIN sessions USING (session_key)
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

/**
 * The keys of turns in the order of `Store.listAllTurns`: ?1 is the earliest time, ?2 and ?3 the place, ?4 the principal, and
 * what is behind it whom they are shared with.
 */
function allSql(states: readonly TurnState[], view: TurnView, names: number): string {
  const partsOf = (table: string, whose: string) =>
    states.map(
      (state) => `SELECT turn_key, create_time, turn_id FROM ${table} WHERE ${whose}
        AND state = ${Number(state)} AND create_time >= ?1 AND (create_time, turn_id) < (?2, ?3)`,
    );
  const turns = (whose: string) => partsOf("turns", `${whose} remove_time IS NULL`);
  const parts = view.seesAll ? turns("") : turns("session_principal = ?4 AND");
  if (!view.seesAll && view.seesAsking) {
    parts.push(...turns(`permission_mode = ${PermissionMode.ASK} AND`));
  }
  for (let name = 1; name < names; name++) {
    parts.push(...partsOf("shared_turns", `grantee = ?${name + 4}`));
  }
  return `${parts.join(" UNION ALL ")} ORDER BY create_time DESC, turn_id DESC`;
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

/** About what a turn takes in a response, at most. */
function listedBytes({ prompt, attachments }: TurnRecord): number {
  const files = attachments.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(attachments));
  return Buffer.byteLength(prompt) + files + 1024;
}
