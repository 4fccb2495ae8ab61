import { type EventKind, isTerminal } from "../agent/agent.ts";
import type { Happening, HappeningKind } from "../store/outbox.ts";

/** Which happenings somebody outside is to be told of. */
export type ToldKinds = ReadonlySet<HappeningKind>;

/**
 * What of events is to be told outside.
 *
 * @param firstSequence - Of the first event.
 * @param toldKinds - Undefined: nothing is.
 * @returns Undefined: nothing of these.
 */
export function happeningsOf(
  kinds: readonly EventKind[],
  firstSequence: number,
  toldKinds: ToldKinds | undefined,
): Happening[] | undefined {
  if (toldKinds === undefined || toldKinds.size === 0) return undefined;
  const happenings = kinds.flatMap((event, index) => {
    const kind = happeningKindOf(event);
    const isTold = kind !== undefined && toldKinds.has(kind);
    return isTold ? { kind, sequence: firstSequence + index } : [];
  });
  return happenings.length === 0 ? undefined : happenings;
}

function happeningKindOf(event: EventKind): HappeningKind | undefined {
  if (event.case === "approvalRequest") return "approval.requested";
  if (event.case === "approvalResolution") return "approval.resolved";
  return isTerminal(event) ? "turn.ended" : undefined;
}
