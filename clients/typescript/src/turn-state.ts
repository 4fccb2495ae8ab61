import { ErrorReason, type TurnEvent, TurnState } from "../../../gen/breakglass/v1/event_pb.ts";

/** Whether a turn in this state has no terminal event yet. A state that is unknown is taken for an end. */
export function isLive(state: TurnState): boolean {
  return (
    state === TurnState.RUNNING ||
    state === TurnState.QUEUED ||
    state === TurnState.AWAITING_APPROVAL
  );
}

/** Where a turn stands once this event has ended it. */
export function endStateOf(
  kind: Extract<TurnEvent["kind"], { case: "result" | "error" }>,
): TurnState {
  if (kind.case === "result") {
    return kind.value.isError ? TurnState.FAILED : TurnState.SUCCEEDED;
  }
  switch (kind.value.reason) {
    case ErrorReason.CANCELED:
      return TurnState.CANCELED;
    case ErrorReason.SERVER_RESTARTED:
    case ErrorReason.SERVER_SHUTDOWN:
      return TurnState.LOST;
    default:
      return TurnState.FAILED;
  }
}
