import { create } from "@bufbuild/protobuf";
import { ErrorEventSchema, ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind, Spending, TerminalKind } from "../agent/agent.ts";
import type { TurnEndRecord } from "../store/store.ts";

/** Why the server, and not the agent, ends a turn. */
export interface TurnEnd {
  readonly reason: ErrorReason;
  /** For the operator: what happened and what to do. */
  readonly message: string;
}

/** What a terminal event makes of its turn's record. */
export function endRecordOf(kind: TerminalKind): TurnEndRecord {
  const { usage, totalCostUsd } = kind.value;
  const spending = { usage, totalCostUsd };
  if (kind.case === "error") {
    const { reason: errorReason } = kind.value;
    return { ...spending, state: errorState(errorReason), errorReason, permissionDenialCount: 0 };
  }
  const { isError, permissionDenials } = kind.value;
  return {
    ...spending,
    state: isError ? TurnState.FAILED : TurnState.SUCCEEDED,
    errorReason: ErrorReason.UNSPECIFIED,
    permissionDenialCount: permissionDenials.length,
  };
}

/** The terminal event of a turn that the server ended. */
export function errorEvent(
  end: TurnEnd,
  spending?: Spending,
): Extract<EventKind, { case: "error" }> {
  return { case: "error", value: create(ErrorEventSchema, { ...spending, ...end }) };
}

function errorState(reason: ErrorReason): TurnState {
  switch (reason) {
    case ErrorReason.CANCELED:
      return TurnState.CANCELED;
    case ErrorReason.SERVER_RESTARTED:
    case ErrorReason.SERVER_SHUTDOWN:
      return TurnState.LOST;
    default:
      return TurnState.FAILED;
  }
}
