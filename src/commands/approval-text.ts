import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  ApprovalDecision,
  ApprovalDecisionSchema,
  type ApprovalRequestEvent,
  type ApprovalResolutionEvent,
  type TurnEvent,
} from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../enum-name.ts";
import type { Terminal } from "./terminal.ts";
import { oneLine, terminalText } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";

const LINE_CHARACTERS = 160;
/** Whoever approves has to see what; an input that is longer is said to be, and where to read it. */
const INPUT_CHARACTERS = 8000;

/**
 * What is asked, with the input as the agent wrote it, until when, and the commands that answer it. The input is not parsed:
 * what is shown is what would run.
 *
 * @param serverOption - What a command needs to reach the same server, such as ` --url URL`; or empty.
 */
export function approvalRequestText(
  event: TurnEvent,
  request: ApprovalRequestEvent,
  style: Terminal["style"],
  serverOption: string,
): string {
  const name = oneLine(request.name, LINE_CHARACTERS);
  const description = oneLine(request.description, LINE_CHARACTERS);
  const ids = terminalText(`${serverOption} ${event.turnId} ${request.approvalId}`);
  const lines = [
    `${style("yellow", `? ${name} waits for an approval`)}${description === "" ? "" : `: ${description}`}`,
    `  | ${terminalText(inputText(event, request, serverOption))}`,
    `  ${expiryText(event, request)} Answer with one of:`,
    `  breakglass approve${ids}`,
    `  breakglass deny${ids} --message TEXT`,
  ];
  return `${lines.join("\n")}\n`;
}

/** How an approval was decided, and by whom. */
export function approvalResolutionText(resolution: ApprovalResolutionEvent): string {
  const by = resolution.principal === "" ? "" : ` by ${oneLine(resolution.principal, 60)}`;
  return `? ${decisionText(resolution, by)} (approval ${oneLine(resolution.approvalId, 60)})\n`;
}

function inputText(
  event: TurnEvent,
  { inputJson, truncated, totalBytes }: ApprovalRequestEvent,
  serverOption: string,
): string {
  if (truncated) return `(the input has ${totalBytes} bytes, too many to be shown)`;
  if (inputJson.length <= INPUT_CHARACTERS) return inputJson.replaceAll("\n", "\n  | ");
  const whole = `breakglass attach${serverOption} ${event.turnId} --after ${event.sequence - 1} --json`;
  return `(the input has ${inputJson.length} characters; ${whole} shows it)`;
}

function expiryText(event: TurnEvent, { expireTime }: ApprovalRequestEvent): string {
  if (expireTime === undefined) return "";
  const { createTime } = event;
  // Both are the server's: this machine's clock may be another.
  const seconds =
    createTime === undefined ? 0 : (timestampMs(expireTime) - timestampMs(createTime)) / 1000;
  const after = seconds > 0 ? `, ${Math.round(seconds)} s after it was asked` : "";
  return `Denied at ${timeText(expireTime)}${after}.`;
}

function decisionText(
  { decision, message, inputJson, truncated, totalBytes }: ApprovalResolutionEvent,
  by: string,
): string {
  switch (decision) {
    case ApprovalDecision.ALLOWED:
      return `Allowed${by}`;
    case ApprovalDecision.ALLOWED_CHANGED: {
      const input = truncated ? `(${totalBytes} bytes)` : oneLine(inputJson, LINE_CHARACTERS);
      return `Allowed${by} with another input: ${input}`;
    }
    case ApprovalDecision.DENIED:
      return `Denied${by}${message === "" ? "" : `: ${oneLine(message, LINE_CHARACTERS)}`}`;
    case ApprovalDecision.EXPIRED:
      return "Denied: nobody answered in time";
    case ApprovalDecision.WITHDRAWN:
      return "The agent no longer asks";
    default:
      return `${enumName(ApprovalDecisionSchema, decision)}${by}`;
  }
}
