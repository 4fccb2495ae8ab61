import { ErrorReason, ErrorReasonSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { type Turn, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { enumName } from "../enum-name.ts";
import { dollars } from "./event-text.ts";
import { oneLine } from "./terminal-text.ts";
import { stateWord } from "./turn-outcome.ts";

const PROMPT_CHARACTERS = 60;

/** Where a turn stands, what it cost, what it was denied, and its prompt or what it follows, on one line. */
export function turnFacts(turn: Turn): string {
  const { errorReason, permissionDenialCount: denials } = turn;
  const reason = errorReason === ErrorReason.UNSPECIFIED ? "" : reasonName(errorReason);
  const columns = [
    `${stateWord(turn.state)}${reason}`,
    denials > 0 && `${denials} denied`,
    turn.totalCostUsd > 0 && dollars(turn.totalCostUsd),
    turn.origin === TurnOrigin.AGENT ? ownWork(turn) : oneLine(turn.prompt, PROMPT_CHARACTERS),
  ];
  return columns.filter((column) => column !== false).join("  ");
}

function reasonName(reason: ErrorReason): string {
  return ` ${enumName(ErrorReasonSchema, reason)}`;
}

function ownWork({ causeTurnId }: Turn): string {
  const cause = causeTurnId === "" ? "" : ` after ${oneLine(causeTurnId, PROMPT_CHARACTERS)}`;
  return `(by the agent itself${cause})`;
}
