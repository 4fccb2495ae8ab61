import { TurnState } from "../gen/breakglass/v1/event_pb.ts";

/** Whether a turn in this state has no terminal event yet. A state that is unknown is taken for an end. */
export function isLive(state: TurnState): boolean {
  return (
    state === TurnState.RUNNING ||
    state === TurnState.QUEUED ||
    state === TurnState.AWAITING_APPROVAL
  );
}
