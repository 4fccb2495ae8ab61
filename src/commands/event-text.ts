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
import { oneLine, terminalText } from "./terminal-text.ts";

const LINE_CHARACTERS = 160;
const INPUT_CHARACTERS = 100;
const RESULT_LINES = 8;

const DENIALS = 5;

/** Styles a piece of what is shown, or leaves it as it is. */
export type EventStyle = Terminal["style"];

/**
 * An event as an operator reads it, ending in a newline. Empty for what is not shown: checkpoints, deltas and kinds that are
 * unknown. What the agent wrote is made safe to print.
 *
 * @param serverOption - What the commands that answer an approval need to reach the same server, such as ` --url URL`.
 */
export function eventText(event: TurnEvent, style: EventStyle, serverOption = ""): string {
  const { kind } = event;
  switch (kind.case) {
    case "session":
      return `${style("dim", sessionText(kind.value))}\n`;
    case "text":
      return inside(
        kind.value.parentToolId,
        `${terminalText(kind.value.text)}${cutNote(kind.value)}\n`,
      );
    case "thinking":
      return style("dim", excerpt(kind.value.text, "  ~ "));
    case "tool":
      return inside(kind.value.parentToolId, `${toolText(kind.value, style)}\n`);
    case "toolResult":
      return inside(kind.value.parentToolId, toolResultText(kind.value, style));
    case "notice":
      return `${style("dim", noticeText(kind.value))}\n`;
    case "steer":
      return `${style("bold", steerText(kind.value))}\n`;
    case "approvalRequest":
      return approvalRequestText(event, kind.value, style, serverOption);
    case "approvalResolution":
      return approvalResolutionText(kind.value);
    case "result":
      return `${resultText(kind.value, style)}\n`;
    case "error":
      return errorText(kind.value, style);
    default:
      return "";
  }
}

/** What a subagent does is indented. */
function inside(parentToolId: string, text: string): string {
  return parentToolId === "" ? text : text.replace(/^(?=.)/gm, "    ");
}

/** What is said behind a text that is not whole. */
export function cutNote(event: { truncated: boolean; totalBytes: bigint }): string {
  return event.truncated ? ` … (cut; ${event.totalBytes} bytes in all)` : "";
}

function sessionText(session: SessionEvent): string {
  const facts = [
    session.model,
    `agent ${session.agent}`,
    session.agentVersion && `version ${session.agentVersion}`,
    session.resumed ? "resumed" : "new conversation",
  ];
  return `[${oneLine(facts.filter((fact) => fact !== "").join(", "), LINE_CHARACTERS)}]`;
}

function toolText(tool: ToolEvent, style: EventStyle): string {
  const input = tool.truncated ? `(${tool.totalBytes} bytes)` : inputText(tool.inputJson);
  return `${style("bold", `> ${oneLine(tool.name, INPUT_CHARACTERS)}`)} ${input}`.trimEnd();
}

/** Most tools say what they are about in their first text: a command, a path, a pattern. */
function inputText(inputJson: string): string {
  let input: unknown;
  try {
    input = JSON.parse(inputJson);
  } catch {
    return oneLine(inputJson, INPUT_CHARACTERS);
  }
  const texts = Object.values(input ?? {}).filter((value) => typeof value === "string");
  return oneLine(texts[0] ?? inputJson, INPUT_CHARACTERS);
}

function toolResultText(result: ToolResultEvent, style: EventStyle): string {
  const text = `${excerpt(result.content, "  | ")}${result.truncated ? `  |${cutNote(result)}\n` : ""}`;
  return result.isError ? style("red", text || "  | failed\n") : text;
}

/** The first lines of a text, each behind a margin, and how many there are where not all are shown. */
function excerpt(text: string, margin: string): string {
  const lines = text.replace(/\s+$/, "").split("\n");
  if (lines.length === 1 && lines[0] === "") return "";
  const shown = lines.slice(0, RESULT_LINES).map((line) => margin + cutLine(line));
  if (lines.length > RESULT_LINES) shown.push(`${margin}… (${lines.length} lines)`);
  return `${shown.join("\n")}\n`;
}

function cutLine(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  const shown = terminalText(text.slice(0, LINE_CHARACTERS));
  return text.length > LINE_CHARACTERS ? `${shown}… (${text.length} characters)` : shown;
}

function noticeText(notice: NoticeEvent): string {
  const attempts = notice.maxAttempts > 0 ? ` of ${notice.maxAttempts}` : "";
  const attempt = notice.attempt > 0 ? ` (attempt ${notice.attempt}${attempts}` : "";
  const delay = notice.delay === undefined ? "" : ` in ${seconds(durationMs(notice.delay))}`;
  const retry = attempt === "" ? "" : `${attempt}${delay})`;
  const reason = enumName(NoticeReasonSchema, notice.reason);
  return `! ${reason}${retry} ${oneLine(notice.message, LINE_CHARACTERS)}`.trimEnd();
}

function steerText({ message, principal }: SteerEvent): string {
  return `« ${oneLine(principal, INPUT_CHARACTERS)}: ${terminalText(message)} »`;
}

function resultText(result: ResultEvent, style: EventStyle): string {
  const facts = [];
  if (result.duration !== undefined) facts.push(seconds(durationMs(result.duration)));
  if (result.totalCostUsd > 0) facts.push(dollars(result.totalCostUsd));
  const after = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  const denials = denialsText(result.permissionDenials);
  if (result.isError) {
    const why = `${terminalText(result.result)}${cutNote(result)}`;
    return `${style("red", `Failed${after}: ${why}`)}${denials}`;
  }
  if (denials === "") return style("green", `Succeeded${after}`);
  const warning = `Ended without an error${after}, but may not have done what it says:`;
  return `${style("yellow", warning)}${denials}`;
}

/** Which tools were denied, each on a line of its own. */
function denialsText(denials: readonly PermissionDenial[]): string {
  if (denials.length === 0) return "";
  const shown = denials
    .slice(0, DENIALS)
    .map(({ name, inputJson }) => `  - ${oneLine(name, INPUT_CHARACTERS)} ${inputText(inputJson)}`);
  if (denials.length > DENIALS) shown.push(`  … ${denials.length - DENIALS} more`);
  const count = denials.length === 1 ? "1 tool call was" : `${denials.length} tool calls were`;
  return `\n${count} denied:\n${shown.map((line) => line.trimEnd()).join("\n")}`;
}

function errorText(error: ErrorEvent, style: EventStyle): string {
  const reason = enumName(ErrorReasonSchema, error.reason);
  const facts = [];
  if (error.exitCode !== undefined) facts.push(`exit status ${error.exitCode}`);
  if (error.signal !== "") facts.push(oneLine(error.signal, INPUT_CHARACTERS));
  if (error.totalCostUsd > 0) facts.push(dollars(error.totalCostUsd));
  const after = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  const first = style("red", `Ended by ${reason}${after}: ${terminalText(error.message)}`);
  return `${first}\n${excerpt(error.stderrTail, "  | ")}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Such as `$0.0123`. */
export function dollars(usd: number): string {
  return `$${usd.toFixed(4)}`;
}
