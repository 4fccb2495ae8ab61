import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { BreakglassClient } from "#client";
import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { Turn } from "../../gen/breakglass/v1/turn_pb.ts";
import { allPages, PAGE_SIZE } from "./list-pages.ts";

/** Which turns are asked for. */
export interface TurnSelection {
  /** Undefined or empty: all that the caller may see. */
  readonly sessionId?: string | undefined;
  /** Whose session it is. Undefined or empty: the caller's own. */
  readonly sessionPrincipal?: string | undefined;
  /** Undefined or empty: in any state. */
  readonly states?: readonly TurnState[] | undefined;
  /** Milliseconds since the epoch. Undefined: ever. */
  readonly sinceMs?: number | undefined;
  readonly limit?: number | undefined;
}

/** Turns, newest first, over all pages. */
export function turnsOf(
  client: BreakglassClient,
  { sessionId = "", sessionPrincipal = "", states = [], sinceMs, limit = PAGE_SIZE }: TurnSelection,
): AsyncGenerator<Turn> {
  const since = sinceMs === undefined ? {} : { since: timestampFromMs(sinceMs) };
  const pageSize = Math.min(PAGE_SIZE, limit);
  return allPages(async (pageToken) => {
    const page = await client.listTurns({
      ...{ sessionId, sessionPrincipal, states: [...states], pageToken, pageSize },
      ...since,
    });
    return { items: page.turns, nextPageToken: page.nextPageToken };
  });
}
