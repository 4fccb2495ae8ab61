import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type ErrorEvent,
  ErrorReasonSchema,
  type NoticeEvent,
  NoticeReasonSchema,
  type PermissionDenial,
  type ResultEvent,
  type SessionEvent,
  type SteerEvent,
  type ToolEvent,
  type ToolResultEvent,
  type TurnEvent,
} from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../enum-name.ts";
import { approvalQuestionText, approvalResolutionText } from "./approval-text.ts";
import type { EventLook, EventStyle } from "./event-look.ts";
import {
  hangingText,
  indented,
  joined,
  oneLine,
  type Printable,
  print,
  terminalText,
  trimmed,
} from "./terminal-text.ts";

const LINE_CHARACTERS = 160;
/** As good as all of it: what an operator can do about it stands at its end. */
const NOTICE_CHARACTERS = 4000;
const INPUT_CHARACTERS = 100;
const RESULT_LINES = 8;

const DENIALS = 5;

/**
 * An event as an operator reads it, ending in a newline. Empty for what is not shown: checkpoints, deltas and kinds that are
 * unknown. What the agent wrote is made safe to print, and lines of an event are behind a margin where they are not prose.
 * What waits for an answer is shown as asked, and not how to answer: it may have been answered since.
 */
export function eventText(event: TurnEvent, look: EventLook): Printable {
  const { kind } = event;
  const { style, wrap = (text) => text, full = false } = look;
  switch (kind.case) {
    case "session":
      return print`${style("dim", wrap(sessionText(kind.value)))}\n`;
    case "text":
      return inside(
        kind.value.parentToolId,
        print`${terminalText(kind.value.text)}${cutNote(kind.value)}\n`,
      );
    case "thinking":
      return style("dim", excerpt(kind.value.text, print`  ~ `, full));
    case "tool":
      return inside(kind.value.parentToolId, print`${toolText(kind.value, look)}\n`);
    case "toolResult":
      return inside(kind.value.parentToolId, toolResultText(kind.value, look));
    case "notice":
      return print`${style("dim", wrap(noticeText(kind.value)))}\n`;
    case "steer":
      return print`${style("bold", steerText(kind.value))}\n`;
    case "approvalRequest":
      return approvalQuestionText(kind.value, look);
    case "approvalResolution":
      return wrap(approvalResolutionText(kind.value));
    case "result":
      return print`${wrap(resultText(kind.value, style))}\n`;
    case "error":
      return wrap(errorText(kind.value, look));
    default:
      return print``;
  }
}

/** What a subagent does is indented. */
function inside(parentToolId: string, text: Printable): Printable {
  return parentToolId === "" ? text : indented(text, "    ");
}

/** What is said behind a text that is not whole. */
export function cutNote(event: { truncated: boolean; totalBytes: bigint }): Printable {
  return event.truncated ? print` … (cut; ${event.totalBytes} bytes in all)` : print``;
}

function sessionText(session: SessionEvent): Printable {
  const facts = [
    session.model,
    `agent ${session.agent}`,
    session.agentVersion && `version ${session.agentVersion}`,
    session.resumed ? "resumed" : "new conversation",
  ];
  return print`[${oneLine(facts.filter((fact) => fact !== "").join(", "), LINE_CHARACTERS)}]`;
}

function toolText(tool: ToolEvent, { style, full = false }: EventLook): Printable {
  const input = tool.truncated
    ? print`(${tool.totalBytes} bytes)`
    : inputText(tool.inputJson, full);
  const name = style("bold", print`> ${oneLine(tool.name, INPUT_CHARACTERS)}`);
  return trimmed(print`${name} ${input}`);
}

/** Most tools say what they are about in their first text: a command, a path, a pattern. */
function inputText(inputJson: string, full = false): Printable {
  if (full) return hangingText(wholeInput(inputJson), "  | ");
  let input: unknown;
  try {
    input = JSON.parse(inputJson);
  } catch {
    return oneLine(inputJson, INPUT_CHARACTERS);
  }
  const texts = Object.values(input ?? {}).filter((value) => typeof value === "string");
  return oneLine(texts[0] ?? inputJson, INPUT_CHARACTERS);
}

/** What is no more than a command is shown as one. Numbers stay as they were written. */
export function wholeInput(inputJson: string): string {
  try {
    const input: unknown = JSON.parse(inputJson);
    const { command, description, ...others } = input as Record<string, unknown>;
    if (typeof command === "string" && Object.keys(others).length === 0) return command;
    const isExact = JSON.stringify(input) === inputJson;
    return isExact ? JSON.stringify(input, undefined, 2) : inputJson;
  } catch {
    return inputJson;
  }
}

function toolResultText(result: ToolResultEvent, { style, full = false }: EventLook): Printable {
  const cut = result.truncated ? print`  |${cutNote(result)}\n` : print``;
  const text = print`${excerpt(result.content, print`  | `, full)}${cut}`;
  return result.isError ? style("red", text === "" ? print`  | failed\n` : text) : text;
}

/** The first lines of a text, each behind a margin, and how many there are where not all are shown. */
function excerpt(text: string, margin: Printable, full = false): Printable {
  const lines = text.replace(/\s+$/, "").split("\n");
  if (lines.length === 1 && lines[0] === "") return print``;
  if (full) return print`${indentedText(lines.join("\n"), margin)}\n`;
  const shown = lines.slice(0, RESULT_LINES).map((line) => print`${margin}${cutLine(line)}`);
  if (lines.length > RESULT_LINES) shown.push(print`${margin}… (${lines.length} lines)`);
  return print`${joined(shown, "\n")}\n`;
}

/** Each line behind the margin, those that are empty too. */
function indentedText(text: string, margin: Printable): Printable {
  return print`${margin}${hangingText(text, margin)}`;
}

function cutLine(line: string): Printable {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  // Not in the middle of a character.
  const shown = terminalText(text.slice(0, LINE_CHARACTERS).replace(/[\ud800-\udbff]$/, ""));
  return text.length > LINE_CHARACTERS ? print`${shown}… (${text.length} characters)` : shown;
}

function noticeText(notice: NoticeEvent): Printable {
  const attempts = notice.maxAttempts > 0 ? print` of ${notice.maxAttempts}` : print``;
  const delay =
    notice.delay === undefined ? print`` : print` in ${seconds(durationMs(notice.delay))}`;
  const retry =
    notice.attempt > 0 ? print` (attempt ${notice.attempt}${attempts}${delay})` : print``;
  const reason = terminalText(enumName(NoticeReasonSchema, notice.reason));
  return trimmed(print`! ${reason}${retry} ${oneLine(notice.message, NOTICE_CHARACTERS)}`);
}

function steerText({ message, principal }: SteerEvent): Printable {
  return print`« ${oneLine(principal, INPUT_CHARACTERS)}: ${hangingText(message)} »`;
}

function resultText(result: ResultEvent, style: EventStyle): Printable {
  const facts: Printable[] = [];
  if (result.duration !== undefined) facts.push(seconds(durationMs(result.duration)));
  if (result.totalCostUsd > 0) facts.push(dollars(result.totalCostUsd));
  const after = factsText(facts);
  const denials = denialsText(result.permissionDenials);
  if (result.isError) {
    const why = print`${hangingText(result.result)}${cutNote(result)}`;
    return print`${style("red", print`Failed${after}: ${why}`)}${denials}`;
  }
  if (denials === "") return style("green", print`Succeeded${after}`);
  const warning = print`Ended without an error${after}, but may not have done what it says:`;
  return print`${style("yellow", warning)}${denials}`;
}

/** Which tools were denied, each on a line of its own. */
function denialsText(denials: readonly PermissionDenial[]): Printable {
  if (denials.length === 0) return print``;
  const shown = denials.slice(0, DENIALS).map(denialText);
  if (denials.length > DENIALS) shown.push(print`  … ${denials.length - DENIALS} more`);
  const count =
    denials.length === 1 ? print`1 tool call was` : print`${denials.length} tool calls were`;
  return print`\n${count} denied:\n${joined(shown, "\n")}`;
}

function denialText({ name, inputJson }: PermissionDenial): Printable {
  return trimmed(print`  - ${oneLine(name, INPUT_CHARACTERS)} ${inputText(inputJson)}`);
}

function errorText(error: ErrorEvent, { style, full = false }: EventLook): Printable {
  const reason = terminalText(enumName(ErrorReasonSchema, error.reason));
  const facts: Printable[] = [];
  if (error.exitCode !== undefined) facts.push(print`exit status ${error.exitCode}`);
  if (error.signal !== "") facts.push(oneLine(error.signal, INPUT_CHARACTERS));
  if (error.totalCostUsd > 0) facts.push(dollars(error.totalCostUsd));
  const message = hangingText(error.message);
  const first = style("red", print`Ended by ${reason}${factsText(facts)}: ${message}`);
  return print`${first}\n${excerpt(error.stderrTail, print`  | `, full)}`;
}

function factsText(facts: readonly Printable[]): Printable {
  return facts.length === 0 ? print`` : print` (${joined(facts, ", ")})`;
}

function seconds(ms: number): Printable {
  return terminalText(`${(ms / 1000).toFixed(1)} s`);
}

/** Such as `$0.0123`. */
export function dollars(usd: number): Printable {
  return terminalText(`$${usd.toFixed(4)}`);
}
