import { type TurnEvent, TurnState, TurnStateSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { endStateOf } from "../turns/turn-end.ts";
import { enumName } from "./enum-name.ts";

/** Where an event says that its turn stands. */
export function stateAfter({ kind }: TurnEvent): TurnState {
  switch (kind.case) {
    case "checkpoint":
      return kind.value.state;
    case "result":
    case "error":
      return endStateOf(kind).state;
    default:
      return TurnState.RUNNING;
  }
}

/** A state in a sentence: `succeeded`, `lost`. */
export function stateWord(state: TurnState): string {
  return enumName(TurnStateSchema, state).toLowerCase();
}
