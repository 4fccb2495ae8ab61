import { ErrorReason, ErrorReasonSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { type Turn, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { enumName } from "../enum-name.ts";
import { dollars } from "./event-text.ts";
import { joined, oneLine, type Printable, print, terminalText } from "./terminal-text.ts";
import { stateWord } from "./turn-outcome.ts";

const PROMPT_CHARACTERS = 60;

/** Where a turn stands, what it cost, what it was denied, and its prompt or what it follows, on one line. */
export function turnFacts(turn: Turn): Printable {
  const { errorReason, permissionDenialCount: denials } = turn;
  const reason = errorReason === ErrorReason.UNSPECIFIED ? print`` : reasonName(errorReason);
  const columns = [
    print`${stateWord(turn.state)}${reason}`,
    denials > 0 && print`${denials} denied`,
    turn.totalCostUsd > 0 && dollars(turn.totalCostUsd),
    turn.origin === TurnOrigin.AGENT && ownWork(turn),
    turn.prompt !== "" && oneLine(turn.prompt, PROMPT_CHARACTERS),
  ];
  return joined(
    columns.filter((column) => column !== false),
    "  ",
  );
}

function reasonName(reason: ErrorReason): Printable {
  return print` ${terminalText(enumName(ErrorReasonSchema, reason))}`;
}

function ownWork({ causeTurnId }: Turn): Printable {
  const cause =
    causeTurnId === "" ? print`` : print` after ${oneLine(causeTurnId, PROMPT_CHARACTERS)}`;
  return print`(by the agent itself${cause})`;
}
