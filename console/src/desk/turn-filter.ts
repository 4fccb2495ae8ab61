import { type ListTurnsRequestSchema, type Turn, TurnOrigin, TurnState } from "@breakglass/client";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";

/** Which turns are shown. */
export interface TurnFilter {
  /** Empty: in any. */
  readonly states: readonly TurnState[];
  /** Who started them. Empty: whoever. */
  readonly principal: string;
  /** A text in the prompt. Empty: any prompt. */
  readonly text: string;
  /** Unspecified: begun by whomever. */
  readonly origin: TurnOrigin;
  /** Begun since so long. Undefined: as `since` and `until` say. */
  readonly span?: Span | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** Spans of time up to now, in milliseconds. */
export const SPANS = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000 } as const;
export type Span = keyof typeof SPANS;

/** Names of states in an address. */
const STATE_NAMES: readonly (readonly [TurnState, string])[] = [
  [TurnState.AWAITING_APPROVAL, "awaiting_approval"],
  [TurnState.RUNNING, "running"],
  [TurnState.QUEUED, "queued"],
  [TurnState.SUCCEEDED, "succeeded"],
  [TurnState.FAILED, "failed"],
  [TurnState.CANCELED, "canceled"],
  [TurnState.LOST, "lost"],
];
/** In the order in which they are offered. */
export const STATES: readonly TurnState[] = STATE_NAMES.map(([state]) => state);
export const LIVE_STATES: readonly TurnState[] = STATES.slice(0, 3);
export const END_STATES: readonly TurnState[] = STATES.slice(3);
const ORIGIN_NAMES = { caller: TurnOrigin.CALLER, agent: TurnOrigin.AGENT } as const;
/** Of a prompt the server searches so much. */
const SEARCHED_BYTES = 4096;

/** Reads a filter from an address; what it does not understand is left out. */
export function filterOf(query: URLSearchParams): TurnFilter {
  const named = (query.get("state") ?? "").split(",");
  const origin = query.get("origin") ?? "";
  const span = query.get("last") ?? "";
  return {
    states: STATE_NAMES.filter(([, name]) => named.includes(name)).map(([state]) => state),
    principal: query.get("who") ?? "",
    text: query.get("q") ?? "",
    origin: Object.hasOwn(ORIGIN_NAMES, origin)
      ? ORIGIN_NAMES[origin as keyof typeof ORIGIN_NAMES]
      : TurnOrigin.UNSPECIFIED,
    span: Object.hasOwn(SPANS, span) ? (span as Span) : undefined,
    since: dateOf(query.get("since")),
    until: dateOf(query.get("until")),
  };
}

/** The query of an address that shows what the filter does. Empty where it filters nothing. */
export function queryOf(filter: TurnFilter): string {
  const query = new URLSearchParams();
  const states = STATE_NAMES.filter(([state]) => filter.states.includes(state));
  if (filter.text !== "") query.set("q", filter.text);
  if (states.length > 0) query.set("state", states.map(([, name]) => name).join(","));
  if (filter.principal !== "") query.set("who", filter.principal);
  if (filter.origin === TurnOrigin.CALLER) query.set("origin", "caller");
  if (filter.origin === TurnOrigin.AGENT) query.set("origin", "agent");
  if (filter.span !== undefined) query.set("last", filter.span);
  else {
    if (filter.since !== undefined) query.set("since", filter.since.toISOString());
    if (filter.until !== undefined) query.set("until", filter.until.toISOString());
  }
  return query.size === 0 ? "" : `?${query}`;
}

/** Whether anything is left out. */
export function filters(filter: TurnFilter): boolean {
  return queryOf(filter) !== "";
}

/** Whether it shows a turn, as the server would tell it. @param now - Milliseconds since the epoch. */
export function fits(filter: TurnFilter, turn: Turn, now: number): boolean {
  const { since, until } = boundsOf(filter, now);
  const at = turn.createTime === undefined ? 0 : timestampMs(turn.createTime);
  return (
    (filter.states.length === 0 || filter.states.includes(turn.state)) &&
    (filter.principal === "" || turn.principal === filter.principal) &&
    (filter.origin === TurnOrigin.UNSPECIFIED || turn.origin === filter.origin) &&
    (since === undefined || at >= since.getTime()) &&
    (until === undefined || at < until.getTime()) &&
    (filter.text === "" || searched(turn.prompt).includes(filter.text.toUpperCase()))
  );
}

/** Asks the server for the turns of a filter that have ended. Undefined: it shows none of them. */
export function endedRequestOf(
  filter: TurnFilter,
  now: number,
): MessageInitShape<typeof ListTurnsRequestSchema> | undefined {
  const states = END_STATES.filter(
    (state) => filter.states.length === 0 || filter.states.includes(state),
  );
  if (states.length === 0) return undefined;
  const { since, until } = boundsOf(filter, now);
  return {
    states,
    principal: filter.principal,
    query: filter.text,
    origin: filter.origin,
    ...(since && { since: timestampFromDate(since) }),
    ...(until && { until: timestampFromDate(until) }),
  };
}

function boundsOf({ span, since, until }: TurnFilter, now: number) {
  return span === undefined ? { since, until } : { since: new Date(now - SPANS[span]) };
}

/** As the server folds case: to upper, for lower case has another sigma at the end of a word. */
function searched(prompt: string): string {
  if (prompt.length * 3 <= SEARCHED_BYTES) return prompt.toUpperCase();
  const bytes = new Uint8Array(SEARCHED_BYTES);
  const { read } = new TextEncoder().encodeInto(prompt, bytes);
  return prompt.slice(0, read).toUpperCase();
}

function dateOf(text: string | null): Date | undefined {
  const date = new Date(text ?? "");
  return Number.isNaN(date.getTime()) ? undefined : date;
}
