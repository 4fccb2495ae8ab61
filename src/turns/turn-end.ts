import { create } from "@bufbuild/protobuf";
import { ErrorEventSchema, ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind, Spending, TerminalKind } from "../agent/agent.ts";

/** Why the server, and not the agent, ends a turn. */
export interface TurnEnd {
  readonly reason: ErrorReason;
  /** For the operator: what happened and what to do. */
  readonly message: string;
}

/** The state that a terminal event leaves its turn in, and the reason where it was an error. */
export function endStateOf(kind: TerminalKind): { state: TurnState; errorReason: ErrorReason } {
  if (kind.case === "result") {
    const state = kind.value.isError ? TurnState.FAILED : TurnState.SUCCEEDED;
    return { state, errorReason: ErrorReason.UNSPECIFIED };
  }
  return { state: errorState(kind.value.reason), errorReason: kind.value.reason };
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
