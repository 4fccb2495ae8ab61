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
import { approvalRequestText, approvalResolutionText } from "./approval-text.ts";
import type { Terminal } from "./terminal.ts";
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
const INPUT_CHARACTERS = 100;
const RESULT_LINES = 8;

const DENIALS = 5;

/** Styles a piece of what is shown, or leaves it as it is. */
export type EventStyle = Terminal["style"];

/**
 * An event as an operator reads it, ending in a newline. Empty for what is not shown: checkpoints, deltas and kinds that are
 * unknown. What the agent wrote is made safe to print, and lines of an event are behind a margin where they are not prose.
 *
 * @param serverOption - What the commands that answer an approval need to reach the same server, such as ` --url URL`.
 */
export function eventText(event: TurnEvent, style: EventStyle, serverOption = print``): Printable {
  const { kind } = event;
  switch (kind.case) {
    case "session":
      return print`${style("dim", sessionText(kind.value))}\n`;
    case "text":
      return inside(
        kind.value.parentToolId,
        print`${terminalText(kind.value.text)}${cutNote(kind.value)}\n`,
      );
    case "thinking":
      return style("dim", excerpt(kind.value.text, print`  ~ `));
    case "tool":
      return inside(kind.value.parentToolId, print`${toolText(kind.value, style)}\n`);
    case "toolResult":
      return inside(kind.value.parentToolId, toolResultText(kind.value, style));
    case "notice":
      return print`${style("dim", noticeText(kind.value))}\n`;
    case "steer":
      return print`${style("bold", steerText(kind.value))}\n`;
    case "approvalRequest":
      return approvalRequestText(event, kind.value, style, serverOption);
    case "approvalResolution":
      return approvalResolutionText(kind.value);
    case "result":
      return print`${resultText(kind.value, style)}\n`;
    case "error":
      return errorText(kind.value, style);
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

function toolText(tool: ToolEvent, style: EventStyle): Printable {
  const input = tool.truncated ? print`(${tool.totalBytes} bytes)` : inputText(tool.inputJson);
  const name = style("bold", print`> ${oneLine(tool.name, INPUT_CHARACTERS)}`);
  return trimmed(print`${name} ${input}`);
}

/** Most tools say what they are about in their first text: a command, a path, a pattern. */
function inputText(inputJson: string): Printable {
  let input: unknown;
  try {
    input = JSON.parse(inputJson);
  } catch {
    return oneLine(inputJson, INPUT_CHARACTERS);
  }
  const texts = Object.values(input ?? {}).filter((value) => typeof value === "string");
  return oneLine(texts[0] ?? inputJson, INPUT_CHARACTERS);
}

function toolResultText(result: ToolResultEvent, style: EventStyle): Printable {
  const cut = result.truncated ? print`  |${cutNote(result)}\n` : print``;
  const text = print`${excerpt(result.content, print`  | `)}${cut}`;
  return result.isError ? style("red", text === "" ? print`  | failed\n` : text) : text;
}

/** The first lines of a text, each behind a margin, and how many there are where not all are shown. */
function excerpt(text: string, margin: Printable): Printable {
  const lines = text.replace(/\s+$/, "").split("\n");
  if (lines.length === 1 && lines[0] === "") return print``;
  const shown = lines.slice(0, RESULT_LINES).map((line) => print`${margin}${cutLine(line)}`);
  if (lines.length > RESULT_LINES) shown.push(print`${margin}… (${lines.length} lines)`);
  return print`${joined(shown, "\n")}\n`;
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
  return trimmed(print`! ${reason}${retry} ${oneLine(notice.message, LINE_CHARACTERS)}`);
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

function errorText(error: ErrorEvent, style: EventStyle): Printable {
  const reason = terminalText(enumName(ErrorReasonSchema, error.reason));
  const facts: Printable[] = [];
  if (error.exitCode !== undefined) facts.push(print`exit status ${error.exitCode}`);
  if (error.signal !== "") facts.push(oneLine(error.signal, INPUT_CHARACTERS));
  if (error.totalCostUsd > 0) facts.push(dollars(error.totalCostUsd));
  const message = hangingText(error.message);
  const first = style("red", print`Ended by ${reason}${factsText(facts)}: ${message}`);
  return print`${first}\n${excerpt(error.stderrTail, print`  | `)}`;
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
