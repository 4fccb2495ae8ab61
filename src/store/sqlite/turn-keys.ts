import { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { granteesOf } from "../common/grantee-text.ts";
import type { Row } from "../common/row.ts";
import { STATES } from "../common/turn-states.ts";
import type { TurnFilter, TurnPlace } from "../lists.ts";
import { foldCase } from "../prompt-text.ts";
import type { TurnView } from "../views.ts";
import { HAS_TEXT, type IndexedTurn, KEYS_OF_A_MOMENT, matchOf } from "./prompt-index.ts";
import type { Statements, Value } from "./statements.ts";

/** So many turns are looked at one by one for a text, in some milliseconds. */
const FEW = 500;
/** Of so many others who share sessions the index of prompts has the turns one by one. */
const FEW_SHARERS = 20;
/** Behind every text that is an id. */
const LAST_ID = "~";

const ORIGINS = [TurnOrigin.CALLER, TurnOrigin.AGENT];
const ASKS = `permission_mode = ${PermissionMode.ASK}`;

/**
 * The keys of the turns of all sessions that a list has, in its order. One that is seen for more than one reason stands there
 * so often, one after the other.
 *
 * 1. They cost what is read of them, however many turns there are: they are merged of a part for each state and origin of what
 *    is their own, what asks, and what is shared with each of their names (or of all, for who sees all), and each part is read
 *    in its order from an index. Those of one who runs them have indexes of their own.
 * 2. Those of turns with a text come in the order of their search keys: of few turns each is looked at, of more those that
 *    the index of prompts has.
 * 3. Who else's sessions are shared is not in the index of prompts: what it has of all who share some is looked at, or of
 *    everybody's where many do.
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
    // As many as there are places for.
    const ofOne = principal === undefined ? [] : [principal];
    const names = [principal ?? "", view.principal, ...granteesOf(view)];
    const values = [since ?? 0, ...place, ...(view.seesAll ? ofOne : names)];
    return this.#statements.iterate(allSql(view, filter), ...values);
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
    const keys = new Set<number>();
    for (const { turn_key: key } of this.#any(view, filter, {
      createTime: moment,
      turnId: LAST_ID,
    })) {
      if (keys.size === FEW) return undefined;
      keys.add(Number(key));
    }
    return [...keys];
  }

  #indexedKeys(view: TurnView, filter: TurnFilter, text: string, below: number): Iterable<Row> {
    const { since, until } = filter;
    const { sql: conditions, values } = conditionsOf(filter);
    const last = Math.min(below, until === undefined ? below : until * KEYS_OF_A_MOMENT);
    const seen = seenSql(view);
    const match = matchOf(text, this.#indexedFor(view, filter));
    const turns = "turns INDEXED BY turns_by_search_key";
    const narrowed =
      match === undefined ? turns : `prompts CROSS JOIN ${turns} ON search_key = prompts.rowid`;
    const sql = `SELECT turn_key FROM ${narrowed} WHERE ${match === undefined ? "" : "prompts MATCH ? AND prompts.rowid >= ? AND prompts.rowid < ? AND"}
      search_key >= ? AND search_key < ? AND remove_time IS NULL AND ${seen.sql} ${conditions} AND ${HAS_TEXT}
      ORDER BY ${match === undefined ? "search_key" : "prompts.rowid"} DESC`;
    const range = [(since ?? 0) * KEYS_OF_A_MOMENT, last];
    const matched = match === undefined ? [] : [match, ...range];
    return this.#statements.iterate(sql, ...matched, ...range, ...seen.values, ...values, text);
  }

  /** As what turns that somebody may see stand in the index of prompts. */
  #indexedFor(view: TurnView, { principal, origin }: TurnFilter): IndexedTurn[] {
    const asked = { principal, origin };
    if (view.seesAll) return [asked];
    const sql = `SELECT DISTINCT principal FROM shares WHERE grantee IN (SELECT value FROM json_each(?)) LIMIT ${FEW_SHARERS + 1}`;
    const sharers = this.#statements.all(sql, JSON.stringify(granteesOf(view)));
    if (sharers.length > FEW_SHARERS) return [asked]; // 3.
    const owners = [view.principal, ...sharers.map((row) => String(row.principal))];
    return [
      ...owners.map((sessionPrincipal) => ({ ...asked, sessionPrincipal })),
      ...(view.seesAsking ? [{ ...asked, permissionMode: PermissionMode.ASK }] : []),
    ];
  }
}

/** A condition on a row of `turns`: somebody may see it. */
function seenSql(view: TurnView): { sql: string; values: Value[] } {
  if (view.seesAll) return { sql: "true", values: [] };
  const shared = `EXISTS (SELECT 1 FROM shares WHERE shares.session_key = turns.session_key
    AND grantee IN (SELECT value FROM json_each(?)))`;
  const asks = view.seesAsking ? `${ASKS} OR` : "";
  return {
    sql: `(session_principal = ? OR ${asks} ${shared})`,
    values: [view.principal, JSON.stringify(granteesOf(view))],
  };
}

/**
 * The keys of turns in the order of `Store.listAllTurns`: ?1 is the earliest time, ?2 and ?3 the place, ?4 who runs them where
 * that is asked for, ?5 whose sessions are their own, and what is behind it whom they are shared with.
 */
function allSql(view: TurnView, filter: TurnFilter): string {
  const kinds = (filter.origin === undefined ? ORIGINS : [filter.origin]).flatMap((origin) =>
    (filter.states.length === 0 ? STATES : filter.states).map((state) => ({ origin, state })),
  );
  const partsOf = (from: string, whose: readonly string[]) =>
    kinds.map(({ origin, state }) => {
      const kind = [`origin = ${Number(origin)}`, `state = ${Number(state)}`];
      const conditions = [...whose, ...kind, "create_time >= ?1"].join(" AND ");
      return `SELECT turn_key, create_time, turn_id FROM ${from} WHERE ${conditions} AND (create_time, turn_id) < (?2, ?3)`;
    });
  const [one, ofOne] = filter.principal === undefined ? ["", []] : ["_of_one", ["principal = ?4"]];
  const turns = (index: string, ...whose: string[]) =>
    partsOf(`turns INDEXED BY turns${index}`, [...whose, ...ofOne, "remove_time IS NULL"]);
  const parts: string[] = [];
  if (view.seesAll) parts.push(...turns(one === "" ? "_of_all" : "_of_one"));
  else {
    parts.push(...turns(`${one}_by_state`, "session_principal = ?5"));
    if (view.seesAsking) parts.push(...turns(`${one}_that_ask`, ASKS));
    for (const [index] of granteesOf(view).entries()) {
      const table = one === "" ? "shared_turns" : "shared_turns INDEXED BY shared_turns_of_one";
      parts.push(...partsOf(table, [`grantee = ?${index + 6}`, ...ofOne]));
    }
  }
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
