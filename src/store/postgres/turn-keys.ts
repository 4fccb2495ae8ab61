import { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { granteesOf } from "../common/grantee-text.ts";
import { STATES } from "../common/turn-states.ts";
import type { TurnFilter, TurnPlace } from "../lists.ts";
import type { TurnView } from "../views.ts";
import { hasText, queryOf } from "./prompt-text.ts";
import type { Value } from "./statements.ts";

/** Behind every id. */
const LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";
const ORIGINS = [TurnOrigin.CALLER, TurnOrigin.AGENT];
const ASKS = `permission_mode = ${PermissionMode.ASK}`;
const KEY = "turn_key, create_time, turn_id";

/** A statement that answers with keys, and what is bound to it. */
export interface KeyQuery {
  readonly sql: string;
  readonly values: readonly Value[];
}

/**
 * The keys of the turns of all sessions in the order of `Store.listAllTurns`, those from after a place on.
 *
 * They cost what is read of them, however many turns there are: they are merged of a part for each state and origin of what is
 * their own, what asks, and what is shared with each of their names (or of all, for who sees all), and each part is read in
 * its order from an index, no further than the page is long. Turns with a text are found by the index of trigrams.
 */
export function turnKeysOf(
  view: TurnView,
  filter: TurnFilter,
  after: TurnPlace | undefined,
  most: number,
): KeyQuery {
  return filter.query === undefined
    ? anyText(view, filter, after, most)
    : withText(view, filter, filter.query, after, most);
}

/** $1 is the earliest time, $2 and $3 the place, $4 how many, and names behind them as they come. */
function anyText(
  view: TurnView,
  filter: TurnFilter,
  after: TurnPlace | undefined,
  most: number,
): KeyQuery {
  const { since, until, principal } = filter;
  const isBefore = until !== undefined && (after === undefined || after.createTime >= until);
  const place = isBefore
    ? [until, "00000000-0000-0000-0000-000000000000"]
    : [after?.createTime ?? Number.MAX_SAFE_INTEGER, after?.turnId ?? LAST_ID];
  const values: Value[] = [since ?? 0, ...place, most];
  const bind = (value: Value) => `$${values.push(value)}`;
  const ofOne = principal === undefined ? [] : [`principal = ${bind(principal)}`];
  const kinds = kindsOf(filter);
  const partsOf = (from: string, whose: readonly string[]) =>
    kinds.map((kind) => {
      const conditions = [...whose, ...ofOne, kind, "create_time >= $1"].join(" AND ");
      return `(SELECT ${KEY} FROM ${from} WHERE ${conditions} AND (create_time, turn_id) < ($2, $3::uuid)
        ORDER BY create_time DESC, turn_id DESC LIMIT $4)`;
    });
  const turns = `(SELECT turns.* FROM turns JOIN sessions USING (session_key) WHERE turns.remove_time IS NULL
    AND sessions.remove_time IS NULL) AS turns`;
  const shared = `(SELECT shared_turns.* FROM shared_turns JOIN turns USING (turn_key) JOIN sessions USING (session_key)
    WHERE sessions.remove_time IS NULL) AS shared_turns`;
  const parts: string[] = [];
  if (view.seesAll) parts.push(...partsOf(turns, []));
  else {
    parts.push(...partsOf(turns, [`session_principal = ${bind(view.principal)}`]));
    if (view.seesAsking) parts.push(...partsOf(turns, [ASKS]));
    for (const grantee of granteesOf(view)) {
      parts.push(...partsOf(shared, [`grantee = ${bind(grantee)}`]));
    }
  }
  const sql = `SELECT DISTINCT ${KEY} FROM (${parts.join(" UNION ALL ")}) AS parts
    ORDER BY create_time DESC, turn_id DESC LIMIT $4`;
  return { sql, values };
}

/** Each kind of turns that a filter lets through, as a condition: so an index has them in their order. */
function kindsOf({ origin, states }: TurnFilter): string[] {
  return (origin === undefined ? ORIGINS : [origin]).flatMap((one) =>
    (states.length === 0 ? STATES : states).map(
      (state) => `origin = ${Number(one)} AND state = ${Number(state)}`,
    ),
  );
}

/** In the order of the time, and of one moment as they were recorded. */
function withText(
  view: TurnView,
  filter: TurnFilter,
  query: string,
  after: TurnPlace | undefined,
  most: number,
): KeyQuery {
  const { since, until } = filter;
  const { text, trigrams } = queryOf(query);
  const values: Value[] = [
    ...[since ?? 0, until ?? Number.MAX_SAFE_INTEGER],
    ...[after?.createTime ?? Number.MAX_SAFE_INTEGER, after?.searchKey ?? Number.MAX_SAFE_INTEGER],
    ...[most, text],
  ];
  const bind = (value: Value) => `$${values.push(value)}`;
  const conditions = [
    ...(trigrams.length === 0 ? [] : [`trigrams @> ${bind(trigrams)}::text[]`]),
    ...(view.seesAll ? [] : [seenSql(view, bind)]),
    ...conditionsOf(filter, bind),
  ];
  const sql = `SELECT ${["turn_key", "turns.create_time", "turn_id"].join(", ")} FROM turns JOIN sessions USING (session_key)
    WHERE turns.create_time >= $1 AND turns.create_time < $2 AND (turns.create_time, turn_key) < ($3, $4)
    AND turns.remove_time IS NULL AND sessions.remove_time IS NULL
    ${conditions.map((condition) => `AND ${condition}`).join(" ")} AND ${hasText("$6")}
    ORDER BY turns.create_time DESC, turn_key DESC LIMIT $5`;
  return { sql, values };
}

/** A condition on a row of `turns`: somebody may see it. */
function seenSql(view: TurnView, bind: (value: Value) => string): string {
  const shared = `EXISTS (SELECT 1 FROM shares WHERE shares.session_key = turns.session_key
    AND grantee = ANY (${bind(granteesOf(view))}::text[]))`;
  const asks = view.seesAsking ? `${ASKS} OR` : "";
  return `(session_principal = ${bind(view.principal)} OR ${asks} ${shared})`;
}

/** What a filter asks of a row of `turns` beside its time and its text. */
export function conditionsOf(
  { states, origin, principal }: TurnFilter,
  bind: (value: Value) => string,
): string[] {
  return [
    ...(states.length === 0 ? [] : [`state IN (${states.map(Number).join()})`]),
    ...(origin === undefined ? [] : [`origin = ${Number(origin)}`]),
    ...(principal === undefined ? [] : [`turns.principal = ${bind(principal)}`]),
  ];
}
