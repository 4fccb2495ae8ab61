import { isLive } from "#client/turn-state";
import { ErrorReason, type TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { Refusal } from "../../errors.ts";
import type { TurnChange, TurnChangeKind, TurnRecord } from "../records.ts";
import { granteeOf } from "./grantee-text.ts";
import type { Row } from "./row.ts";
import { STATES } from "./turn-states.ts";

/** As they are kept. */
export const CHANGE_KINDS: readonly TurnChangeKind[] = [
  "started",
  "changed",
  "ended",
  "approvalRequested",
  "approvalResolved",
];

/** A change from its row, of a turn as it is now. */
export function changeOf(row: Row, turn: TurnRecord, event: Uint8Array | undefined): TurnChange {
  const pastStates = Number(row.past_states);
  const sharedWith = JSON.parse(String(row.shared_with)) as string[];
  const owner = { kind: "principal", name: String(row.session_principal) } as const;
  return {
    cursor: Number(row.cursor),
    kind: CHANGE_KINDS[Number(row.kind)]!,
    turn: asOf(turn, row.came_into as TurnState),
    pastStates: STATES.filter((state) => (pastStates & (1 << state)) !== 0),
    event,
    seenBy: [owner, ...sharedWith.map(granteeOf)],
    retoldTo: row.grantee === null ? undefined : granteeOf(String(row.grantee)),
  };
}

/** A turn in a state that it has been in: it may have ended since. */
function asOf(turn: TurnRecord, state: TurnState): TurnRecord {
  if (turn.endTime === undefined || !isLive(state)) return { ...turn, state };
  const unended = { endTime: undefined, errorReason: ErrorReason.UNSPECIFIED };
  const unspent = { usage: undefined, totalCostUsd: 0, permissionDenialCount: 0 };
  return { ...turn, state, ...unended, ...unspent };
}

/** Refuses a cursor that the changes of all turns have not come to. */
export function pastLastChange(newest: number): Refusal {
  const message = `after_cursor is past the last change, ${newest}: watch from 0`;
  const metadata = { last_cursor: String(newest), after_cursor: "0" };
  return new Refusal("OUT_OF_RANGE", message, { metadata });
}
