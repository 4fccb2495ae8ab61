import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { BreakglassClient } from "#client";
import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { Turn, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { allPages, PAGE_SIZE } from "./list-pages.ts";

/** Which turns commands ask for. */
export interface TurnFilterOptions {
  /** Undefined or empty: in any state. */
  readonly state?: readonly TurnState[];
  /** Milliseconds since the epoch. Undefined: ever. */
  readonly since?: number;
  /** Milliseconds since the epoch. Undefined: ever. */
  readonly until?: number;
  /** Undefined: of anybody. */
  readonly principal?: string;
  /** Undefined: begun by anybody. */
  readonly origin?: TurnOrigin;
  /** What is in their prompts. Undefined: anything. */
  readonly grep?: string;
}

/** The part of a request that says which turns. */
export function filterOf({ state = [], since, until, principal, origin, grep }: TurnFilterOptions) {
  return {
    states: [...state],
    ...(since === undefined ? {} : { since: timestampFromMs(since) }),
    ...(until === undefined ? {} : { until: timestampFromMs(until) }),
    ...(principal === undefined ? {} : { principal }),
    ...(origin === undefined ? {} : { origin }),
    ...(grep === undefined ? {} : { query: grep }),
  };
}

/** Which turns are asked for. */
export interface TurnSelection extends TurnFilterOptions {
  /** Undefined or empty: all that the caller may see. */
  readonly sessionId?: string | undefined;
  /** Whose session it is. Undefined or empty: the caller's own. */
  readonly sessionPrincipal?: string | undefined;
  readonly limit?: number | undefined;
}

/** Turns, newest first, over all pages. */
export function turnsOf(
  client: BreakglassClient,
  { sessionId = "", sessionPrincipal = "", limit = PAGE_SIZE, ...filter }: TurnSelection,
): AsyncGenerator<Turn> {
  const pageSize = Math.min(PAGE_SIZE, limit);
  return allPages(async (pageToken) => {
    const page = await client.listTurns({
      ...{ sessionId, sessionPrincipal, pageToken, pageSize },
      ...filterOf(filter),
    });
    return { items: page.turns, nextPageToken: page.nextPageToken };
  });
}
