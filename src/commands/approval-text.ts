import {
  ApprovalDecision,
  ApprovalDecisionSchema,
  type ApprovalRequestEvent,
  type ApprovalResolutionEvent,
  type TurnEvent,
} from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../enum-name.ts";
import type { CommandForm } from "./command-form.ts";
import type { EventLook } from "./event-look.ts";
import {
  exactText,
  indented,
  joined,
  oneLine,
  type Printable,
  print,
  shellWord,
  terminalText,
  trimmed,
} from "./terminal-text.ts";
import { inTime, timeText } from "./time-text.ts";

const LINE_CHARACTERS = 160;
const ID_CHARACTERS = 60;
const DESCRIPTION_CHARACTERS = 500;
/** Whoever approves has to see what; an input that is longer is said to be, and where to read it. */
const INPUT_CHARACTERS = 8000;
/** Nor may what is asked have left the screen at its top. */
const INPUT_LINES = 100;

/**
 * What is asked, in a line or two, for who reads a turn again: no more than that it was asked.
 */
export function approvalQuestionText(
  request: ApprovalRequestEvent,
  { style, full = false }: EventLook,
): Printable {
  const { inputJson, truncated, totalBytes } = request;
  const input = truncated
    ? print`(${totalBytes} bytes)`
    : full
      ? exactText(inputJson)
      : oneLine(exactText(inputJson), LINE_CHARACTERS);
  return print`${style("yellow", headline(request, print`asked for an approval`))}\n${indented(input, "  | ")}\n`;
}

/** What waits for an answer. */
export interface OpenApproval {
  /** The event that asks. */
  readonly event: TurnEvent;
  readonly request: ApprovalRequestEvent;
  /** How long until the call is denied. Undefined: unknown. */
  readonly leftMs: number | undefined;
}

/**
 * What waits for an answer, with the input as the agent wrote it, until when, and the commands that answer it. The input is
 * not parsed: what is shown is what would run. Characters in it that do not look like what they are are shown by their
 * numbers, and a line says so.
 *
 * @param keys - Which keys answer it. Empty: none do.
 */
export function openApprovalText(
  open: OpenApproval,
  { style, wrap = (text) => text }: EventLook,
  command: CommandForm,
  keys: Printable = print``,
): Printable {
  const { event, request } = open;
  const ids = print`${shellWord(event.turnId)} ${shellWord(request.approvalId)}`;
  const answers = keys === "" ? print`Answer with one of:` : print`${keys} Or answer with one of:`;
  const lines = [
    wrap(style("yellow", headline(request, print`waits for an approval`))),
    indented(inputText(event, request, command), "  | "),
    ...warnings(request).map((warning) => style("yellow", print`  ! ${warning}`)),
    wrap(trimmed(print`${expiryText(open)} ${answers}`)),
    print`  ${command("approve", ids)}`,
    print`  ${command("deny", print`${ids} --message TEXT`)}`,
  ];
  return print`${joined(lines, "\n")}\n`;
}

/** Whether all of what is asked is in {@link openApprovalText}. */
export function isShownWhole({ inputJson, truncated }: ApprovalRequestEvent): boolean {
  const lines = inputJson.split("\n").length;
  return !truncated && inputJson.length <= INPUT_CHARACTERS && lines <= INPUT_LINES;
}

function headline({ name, description }: ApprovalRequestEvent, what: Printable): Printable {
  // On one line: nothing that an agent wrote may look like the commands below it.
  const about =
    description === "" ? print`` : print`: ${oneLine(description, DESCRIPTION_CHARACTERS)}`;
  return print`? ${oneLine(exactText(name), LINE_CHARACTERS)} ${what}${about}`;
}

/** How an approval was decided, and by whom. */
export function approvalResolutionText(resolution: ApprovalResolutionEvent): Printable {
  const { principal, approvalId } = resolution;
  const by = principal === "" ? print`` : print` by ${oneLine(principal, ID_CHARACTERS)}`;
  return print`? ${decisionText(resolution, by)} (approval ${oneLine(approvalId, ID_CHARACTERS)})\n`;
}

function inputText(
  event: TurnEvent,
  request: ApprovalRequestEvent,
  command: CommandForm,
): Printable {
  const { inputJson, truncated, totalBytes } = request;
  if (truncated) return print`(the input has ${totalBytes} bytes, too many to be shown)`;
  if (isShownWhole(request)) return exactText(inputJson);
  const lines = inputJson.split("\n").length;
  const after = Math.max(0, event.sequence - 1);
  const whole = command("attach", print`${shellWord(event.turnId)} --after ${after} --json`);
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

function expiryText({ request: { expireTime }, leftMs }: OpenApproval): Printable {
  if (expireTime === undefined) return print``;
  const left = leftMs === undefined ? print`` : print` (${inTime(leftMs)})`;
  return print`Will be denied at ${timeText(expireTime)}${left}.`;
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
