import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type ErrorEvent,
  ErrorReasonSchema,
  type NoticeEvent,
  NoticeReasonSchema,
  type ResultEvent,
  type SessionEvent,
  type ToolEvent,
  type ToolResultEvent,
  type TurnEvent,
} from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "./enum-name.ts";
import type { Terminal } from "./terminal.ts";
import { oneLine, terminalText } from "./terminal-text.ts";

const LINE_CHARACTERS = 160;
const INPUT_CHARACTERS = 100;
const RESULT_LINES = 8;

type Styling = Terminal["style"];

/**
 * An event as an operator reads it, ending in a newline. Empty for what is not shown: checkpoints, deltas and kinds that are
 * unknown. What the agent wrote is made safe to print.
 */
export function eventText({ kind }: TurnEvent, style: Styling): string {
  switch (kind.case) {
    case "session":
      return `${style("dim", sessionText(kind.value))}\n`;
    case "text":
      return inside(
        kind.value.parentToolId,
        `${terminalText(kind.value.text)}${cut(kind.value)}\n`,
      );
    case "thinking":
      return style("dim", excerpt(kind.value.text, "  ~ "));
    case "tool":
      return inside(kind.value.parentToolId, `${toolText(kind.value, style)}\n`);
    case "toolResult":
      return inside(kind.value.parentToolId, toolResultText(kind.value, style));
    case "notice":
      return `${style("dim", noticeText(kind.value))}\n`;
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

function cut(event: { truncated: boolean; totalBytes: bigint }): string {
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

function toolText(tool: ToolEvent, style: Styling): string {
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

function toolResultText(result: ToolResultEvent, style: Styling): string {
  const text = `${excerpt(result.content, "  | ")}${result.truncated ? `  |${cut(result)}\n` : ""}`;
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

function resultText(result: ResultEvent, style: Styling): string {
  const facts = [];
  if (result.duration !== undefined) facts.push(seconds(durationMs(result.duration)));
  if (result.totalCostUsd > 0) facts.push(dollars(result.totalCostUsd));
  if (result.permissionDenials.length > 0)
    facts.push(`${result.permissionDenials.length} tools denied`);
  const after = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  if (!result.isError) return style("green", `Succeeded${after}`);
  return style("red", `Failed${after}: ${terminalText(result.result)}${cut(result)}`);
}

function errorText(error: ErrorEvent, style: Styling): string {
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

function dollars(usd: number): string {
  return `$${usd.toFixed(4)}`;
}
