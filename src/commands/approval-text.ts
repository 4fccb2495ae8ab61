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
import {
  exactText,
  indented,
  joined,
  oneLine,
  type Printable,
  print,
  shellWord,
  terminalText,
} from "./terminal-text.ts";
import { isTime, timeText } from "./time-text.ts";

const LINE_CHARACTERS = 160;
const ID_CHARACTERS = 60;
/** Whoever approves has to see what; an input that is longer is said to be, and where to read it. */
const INPUT_CHARACTERS = 8000;
/** Nor may what is asked have left the screen at its top. */
const INPUT_LINES = 100;

/**
 * What is asked, with the input as the agent wrote it, until when, and the commands that answer it. The input is not parsed:
 * what is shown is what would run. Characters in it that do not look like what they are are shown by their numbers, and a
 * line says so.
 *
 * @param serverOption - What a command needs to reach the same server, such as ` --url URL`; or empty.
 */
export function approvalRequestText(
  event: TurnEvent,
  request: ApprovalRequestEvent,
  style: Terminal["style"],
  serverOption: Printable,
): Printable {
  const name = oneLine(exactText(request.name), LINE_CHARACTERS);
  const description = oneLine(request.description, LINE_CHARACTERS);
  const ids = print`${serverOption} ${shellWord(event.turnId)} ${shellWord(request.approvalId)}`;
  const lines = [
    print`${style("yellow", print`? ${name} waits for an approval`)}${description === "" ? print`` : print`: ${description}`}`,
    indented(inputText(event, request, serverOption), "  | "),
    ...warnings(request).map((warning) => style("yellow", print`  ! ${warning}`)),
    print`  ${expiryText(event, request)} Answer with one of:`,
    print`  breakglass approve${ids}`,
    print`  breakglass deny${ids} --message TEXT`,
  ];
  return print`${joined(lines, "\n")}\n`;
}

/** How an approval was decided, and by whom. */
export function approvalResolutionText(resolution: ApprovalResolutionEvent): Printable {
  const { principal, approvalId } = resolution;
  const by = principal === "" ? print`` : print` by ${oneLine(principal, ID_CHARACTERS)}`;
  return print`? ${decisionText(resolution, by)} (approval ${oneLine(approvalId, ID_CHARACTERS)})\n`;
}

function inputText(
  event: TurnEvent,
  { inputJson, truncated, totalBytes }: ApprovalRequestEvent,
  serverOption: Printable,
): Printable {
  if (truncated) return print`(the input has ${totalBytes} bytes, too many to be shown)`;
  const lines = inputJson.split("\n").length;
  if (inputJson.length <= INPUT_CHARACTERS && lines <= INPUT_LINES) return exactText(inputJson);
  const whole = print`breakglass attach${serverOption} ${shellWord(event.turnId)} --after ${Math.max(0, event.sequence - 1)} --json`;
  const size = lines > INPUT_LINES ? print`${lines} lines` : print`${inputJson.length} characters`;
  return print`(the input has ${size}; ${whole} shows it)`;
}

/** What the eye would miss in what is to be approved. */
function warnings({ name, inputJson }: ApprovalRequestEvent): Printable[] {
  const text = `${name}\n${inputJson}`;
  const found: Printable[] = [];
  if (exactText(text) !== text.replaceAll("\r\n", "\n")) {
    found.push(
      print`It has characters that do not show, or look like a space: here as \\u{NUMBER}.`,
    );
  }
  const mixed = (text.match(/\p{L}+/gu) ?? []).find(isMixed);
  if (mixed !== undefined) {
    const letters = [...mixed].filter((letter) => /\P{ASCII}/u.test(letter)).slice(0, 5);
    const numbers = letters.map((letter) => letter.codePointAt(0)?.toString(16) ?? "");
    const shown = oneLine(mixed, ID_CHARACTERS);
    found.push(
      print`It mixes alphabets that look alike in ${shown}: U+${terminalText(numbers.join(", U+"))}.`,
    );
  }
  return found;
}

/** A word of Latin letters and of others that look the same. */
function isMixed(word: string): boolean {
  return (
    /\p{Script=Latin}/u.test(word) &&
    /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u.test(word)
  );
}

function expiryText(event: TurnEvent, { expireTime }: ApprovalRequestEvent): Printable {
  if (expireTime === undefined) return print``;
  const { createTime } = event;
  // Both are the server's: this machine's clock may be another.
  const areTimes = createTime !== undefined && isTime(createTime) && isTime(expireTime);
  const seconds = !areTimes ? 0 : (timestampMs(expireTime) - timestampMs(createTime)) / 1000;
  const after = seconds > 0 ? print`, ${Math.round(seconds)} s after it was asked` : print``;
  return print`Will be denied at ${timeText(expireTime)}${after}.`;
}

function decisionText(
  { decision, message, inputJson, truncated, totalBytes }: ApprovalResolutionEvent,
  by: Printable,
): Printable {
  switch (decision) {
    case ApprovalDecision.ALLOWED:
      return print`Allowed${by}`;
    case ApprovalDecision.ALLOWED_CHANGED: {
      const input = truncated
        ? print`(${totalBytes} bytes)`
        : oneLine(exactText(inputJson), LINE_CHARACTERS);
      return print`Allowed${by} with another input: ${input}`;
    }
    case ApprovalDecision.DENIED:
      return print`Denied${by}${message === "" ? print`` : print`: ${oneLine(message, LINE_CHARACTERS)}`}`;
    case ApprovalDecision.EXPIRED:
      return print`Denied: nobody answered in time`;
    case ApprovalDecision.WITHDRAWN:
      return print`The agent no longer asks`;
    default:
      return print`${terminalText(enumName(ApprovalDecisionSchema, decision))}${by}`;
  }
}
