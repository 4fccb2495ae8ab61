import {
  ErrorReason,
  type TurnEvent,
  TurnState,
  TurnStateSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "./enum-name.ts";

/** Where an event says that its turn stands. */
export function stateAfter({ kind }: TurnEvent): TurnState {
  switch (kind.case) {
    case "checkpoint":
      return kind.value.state;
    case "result":
      return kind.value.isError ? TurnState.FAILED : TurnState.SUCCEEDED;
    case "error":
      return stateAfterError(kind.value.reason);
    default:
      return TurnState.RUNNING;
  }
}

function stateAfterError(reason: ErrorReason): TurnState {
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

/** A state in a sentence: `succeeded`, `lost`. */
export function stateWord(state: TurnState): string {
  return enumName(TurnStateSchema, state).toLowerCase();
}
