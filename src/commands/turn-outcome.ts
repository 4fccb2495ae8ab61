import { endStateOf } from "#client/turn-state";
import { type TurnEvent, TurnState, TurnStateSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../enum-name.ts";
import { type Printable, print, terminalText } from "./terminal-text.ts";

/** Where an event says that its turn stands. */
export function stateAfter({ kind }: TurnEvent): TurnState {
  switch (kind.case) {
    case "checkpoint":
      return kind.value.state;
    case "result":
    case "error":
      return endStateOf(kind);
    case "approvalRequest":
      return TurnState.AWAITING_APPROVAL;
    default:
      return TurnState.RUNNING;
  }
}

/** A state in a sentence: `succeeded`, `awaiting approval`; `unknown` where the server did not say. */
export function stateWord(state: TurnState): Printable {
  if (state === TurnState.UNSPECIFIED) return print`unknown`;
  return terminalText(enumName(TurnStateSchema, state).toLowerCase().replaceAll("_", " "));
}
