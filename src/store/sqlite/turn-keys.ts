import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { TurnFilter, TurnPlace, TurnView } from "../lists.ts";
import { foldCase } from "../prompt-text.ts";
import { HAS_TEXT, KEYS_OF_A_MOMENT, matchOf } from "./prompt-index.ts";
import type { Row, Statements } from "./statements.ts";

/** So many turns are looked at one by one for a text, in some milliseconds. */
const FEW = 500;
/** Behind every text that is an id. */
const LAST_ID = "~";

/** Every state. */
export const STATES = Object.values(TurnState).filter(
  (state) => typeof state === "number" && state !== TurnState.UNSPECIFIED,
) as TurnState[];

const ORIGINS = [TurnOrigin.CALLER, TurnOrigin.AGENT];

/**
 * The keys of the turns of all sessions that a list has, in its order.
 *
 * 1. They cost what is read of them, however many turns there are: they are merged of a part for each state and origin (and,
 *    for an approver, for each of turns that ask), and each part is read in its order from an index.
 * 2. Those of turns with a text come in the order of their search keys: of few turns each is looked at, of more those that
 *    the index of prompts has.
 */
export class TurnKeys {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Those from after a place on: rows with a `turn_key`. */
  of(view: TurnView, filter: TurnFilter, after: TurnPlace | undefined): Iterable<Row> {
    const { query } = filter;
    if (query === undefined) return this.#any(view, filter, after); // 1.
    return this.#withText(view, filter, query, after); // 2.
  }

  /** The keys of turns, whatever their text. */
  #any(view: TurnView, filter: TurnFilter, after: TurnPlace | undefined): Iterable<Row> {
    const { since, until, principal } = filter;
    const isBefore = until !== undefined && (after === undefined || after.createTime >= until);
    const place = isBefore
      ? [until, ""]
      : [after?.createTime ?? Number.MAX_SAFE_INTEGER, after?.turnId ?? LAST_ID];
    const sql = allSql(view, filter);
    if (sql === undefined) return [];
    return this.#statements.iterate(sql, principal ?? view.principal, since ?? 0, ...place);
  }

  #withText(
    view: TurnView,
    filter: TurnFilter,
    query: string,
    after: TurnPlace | undefined,
  ): Iterable<Row> {
    const below = after?.searchKey ?? Number.MAX_SAFE_INTEGER;
    const text = foldCase(query);
    const few = this.#fewKeys(view, filter, below);
    if (few === undefined) return this.#indexedKeys(view, filter, text, below);
    const sql = `SELECT turn_key FROM turns WHERE turn_key IN (SELECT value FROM json_each(?)) AND search_key < ? AND ${HAS_TEXT}
      ORDER BY search_key DESC`;
    return this.#statements.iterate(sql, JSON.stringify(few), below, text);
  }

  /** The keys of turns, whatever their text, from that of a search key on; undefined where they are not few. */
  #fewKeys(view: TurnView, filter: TurnFilter, below: number): number[] | undefined {
    const moment = Math.floor(below / KEYS_OF_A_MOMENT);
    const keys: number[] = [];
    for (const { turn_key: key } of this.#any(view, filter, {
      createTime: moment,
      turnId: LAST_ID,
    })) {
      if (keys.length === FEW) return undefined;
      keys.push(Number(key));
    }
    return keys;
  }

  #indexedKeys(view: TurnView, filter: TurnFilter, text: string, below: number): Iterable<Row> {
    const { principal, origin, since, until } = filter;
    const isOwn = principal === undefined || principal === view.principal;
    const asking = { principal, origin, permissionMode: PermissionMode.ASK };
    const whose = [
      ...(isOwn ? [{ principal: view.principal, origin }] : []),
      ...(view.asApprover ? [asking] : []),
    ];
    if (whose.length === 0) return [];
    const { sql: conditions, values } = conditionsOf(filter);
    const last = Math.min(below, until === undefined ? below : until * KEYS_OF_A_MOMENT);
    const seen = view.asApprover
      ? `(principal = ? OR permission_mode = ${PermissionMode.ASK})`
      : "principal = ?";
    const match = matchOf(text, whose);
    const turns = "turns INDEXED BY turns_by_search_key";
    const narrowed =
      match === undefined ? turns : `prompts CROSS JOIN ${turns} ON search_key = prompts.rowid`;
    const sql = `SELECT turn_key FROM ${narrowed} WHERE ${match === undefined ? "" : "prompts MATCH ? AND prompts.rowid >= ? AND prompts.rowid < ? AND"}
      search_key >= ? AND search_key < ? AND remove_time IS NULL AND ${seen} ${conditions} AND ${HAS_TEXT}
      ORDER BY ${match === undefined ? "search_key" : "prompts.rowid"} DESC`;
    const range = [(since ?? 0) * KEYS_OF_A_MOMENT, last];
    const matched = match === undefined ? [] : [match, ...range];
    return this.#statements.iterate(sql, ...matched, ...range, view.principal, ...values, text);
  }
}

/**
 * The keys of turns in the order of `Store.listAllTurns`: ?1 is the principal whose they are, or who sees them, ?2 the earliest
 * time, ?3 and ?4 the place. Undefined: there are none that may be seen.
 */
function allSql({ principal, asApprover }: TurnView, filter: TurnFilter): string | undefined {
  const kinds = (filter.origin === undefined ? ORIGINS : [filter.origin]).flatMap((origin) =>
    (filter.states.length === 0 ? STATES : filter.states).map((state) => ({ origin, state })),
  );
  const part = (whose: string) =>
    kinds.map(
      ({ origin, state }) =>
        `SELECT turn_key, create_time, turn_id FROM turns WHERE ${whose} AND origin = ${Number(origin)} AND state = ${Number(state)}
        AND create_time >= ?2 AND (create_time, turn_id) < (?3, ?4) AND remove_time IS NULL`,
    );
  const asks = `permission_mode = ${PermissionMode.ASK}`;
  const parts: string[] = [];
  const isOfOne = filter.principal !== undefined && filter.principal !== principal;
  if (!isOfOne) parts.push(...part("principal = ?1"));
  if (asApprover && isOfOne) parts.push(...part(`principal = ?1 AND ${asks}`));
  if (asApprover && filter.principal === undefined)
    parts.push(...part(`${asks} AND principal <> ?1`));
  if (parts.length === 0) return undefined;
  return `${parts.join(" UNION ALL ")} ORDER BY create_time DESC, turn_id DESC`;
}

/** What a filter asks of a row beside its time and its text, each behind an AND. */
export function conditionsOf({ states, origin, principal }: TurnFilter) {
  const conditions = [
    ...(states.length === 0 ? [] : [`state IN (${states.map(Number).join()})`]),
    ...(origin === undefined ? [] : [`origin = ${Number(origin)}`]),
    ...(principal === undefined ? [] : ["principal = ?"]),
  ];
  return {
    sql: conditions.map((condition) => `AND ${condition}`).join(" "),
    values: principal === undefined ? [] : [principal],
  };
}
