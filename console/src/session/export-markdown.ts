import type { Session, Turn, TurnEvent } from "@breakglass/client";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { formats, words } from "../words/words.ts";
import { fenced, inlineCode, prose, quoted } from "./markdown-text.ts";

const text = words.exporting;

/** The head of an export where its session is not shown to whoever exports: an approver sees a turn without it. */
export function strangeHead(sessionId: string, version: string, now: Date): string {
  return block(`# ${text.session} ${sessionId}`, text.exportedOn(formats.dateTime(now), version));
}

/** The head of a session's export. @param version - The server's. */
export function sessionHead(session: Session, version: string, now: Date): string {
  const facts = [
    `${words.session.owner}: ${inlineCode(session.principal)}`,
    `${words.session.agent}: ${inlineCode(session.agentKind)} ${session.agent === "" ? "" : inlineCode(session.agent)}`,
    ...(session.createTime
      ? [
          `${words.session.since}: ${session.createTime && formats.dateTime(timestampDate(session.createTime))}`,
        ]
      : []),
    ...(session.totalCostUsd > 0
      ? [`${words.session.cost}: ${formats.cost(session.totalCostUsd)}`]
      : []),
  ];
  return block(
    `# ${text.session} ${session.sessionId}`,
    list(facts),
    text.exportedOn(formats.dateTime(now), version),
  );
}

/** What a turn was, before its events. @param n - Its place among those of the export, from 1, which are `of`. */
export function turnHead(turn: Turn, n: number, of: number): string {
  const facts = [
    `${text.id}: ${inlineCode(turn.turnId)}`,
    `${text.by}: ${inlineCode(turn.principal)}`,
    `${text.state}: ${words.turn.state(turn.state)}`,
    ...(turn.createTime
      ? [`${text.begun}: ${formats.dateTime(timestampDate(turn.createTime))}`]
      : []),
    ...(turn.endTime ? [`${text.ended}: ${formats.dateTime(timestampDate(turn.endTime))}`] : []),
    ...(turn.totalCostUsd > 0 ? [`${words.session.cost}: ${formats.cost(turn.totalCostUsd)}`] : []),
  ];
  const prompt = turn.prompt === "" ? words.turn.ownWork : quoted(turn.prompt);
  return block(`## ${text.turn(n, of)}`, list(facts), `### ${text.prompt}`, prompt);
}

/** An event for a person to read; nothing in it can be taken for a part of the document. Empty for what says nothing to one. */
export function eventText({ kind }: TurnEvent): string {
  switch (kind.case) {
    case "session":
      return block(
        list([
          `${text.agentUp}: ${inlineCode(kind.value.agent)} ${inlineCode(kind.value.model)} ${inlineCode(kind.value.agentVersion)}`,
        ]),
      );
    case "text":
      return block(byWhom(kind.value.parentToolId), prose(kind.value.text), cut(kind.value));
    case "thinking":
      if (kind.value.text === "") return "";
      return block(`**${text.thinking}**`, quoted(kind.value.text), cut(kind.value));
    case "tool":
      return block(
        `**${text.tool}** ${inlineCode(kind.value.name)}${suffix(kind.value.parentToolId)}`,
        input(kind.value.inputJson),
        cut(kind.value),
      );
    case "toolResult":
      return block(
        `**${text.output}**${kind.value.isError ? ` (${text.failed})` : ""}`,
        fenced(kind.value.content),
        cut(kind.value),
      );
    case "steer":
      return block(
        `**${text.steer(inlineCode(kind.value.principal))}**`,
        quoted(kind.value.message),
        cut(kind.value),
      );
    case "approvalRequest":
      return block(
        `**${text.approval}** ${inlineCode(kind.value.name)}`,
        kind.value.description === "" ? "" : quoted(kind.value.description),
        input(kind.value.inputJson),
      );
    case "approvalResolution":
      return block(
        `**${text.decided}** ${words.approval.decided(kind.value.decision, kind.value.principal === "" ? "" : inlineCode(kind.value.principal))}`,
        kind.value.message === "" ? "" : quoted(kind.value.message),
        kind.value.inputJson === "" ? "" : input(kind.value.inputJson),
      );
    case "notice":
      return block(`**${text.notice}**`, quoted(kind.value.message));
    case "result":
      return block(
        `### ${text.result}${kind.value.isError ? ` (${text.failed})` : ""}`,
        prose(kind.value.result),
        cut(kind.value),
      );
    case "error":
      return block(
        `### ${text.error}`,
        quoted(kind.value.message),
        kind.value.stderrTail === "" ? "" : fenced(kind.value.stderrTail),
      );
    default:
      return "";
  }
}

/** A call's input: a command as it would run, all else as JSON. */
function input(json: string): string {
  if (json === "") return "";
  try {
    const value: unknown = JSON.parse(json);
    const { command, ...rest } = value as { readonly command?: unknown };
    const others = Object.keys(rest).filter((key) => key !== "description");
    if (typeof command === "string" && others.length === 0) return fenced(command, "sh");
    return fenced(JSON.stringify(value, null, 2), "json");
  } catch {
    return fenced(json);
  }
}

function cut({
  truncated,
  totalBytes,
}: {
  readonly truncated: boolean;
  readonly totalBytes: bigint;
}): string {
  return truncated ? `*${text.cut(formats.bytes(Number(totalBytes)))}*` : "";
}

function byWhom(parentToolId: string): string {
  return parentToolId === "" ? "" : `*${text.subagent}*`;
}

function suffix(parentToolId: string): string {
  return parentToolId === "" ? "" : ` (${text.subagent})`;
}

function list(facts: readonly string[]): string {
  return facts.map((fact) => `- ${fact.trimEnd()}`).join("\n");
}

/** Parts with an empty line after each. */
function block(...parts: readonly string[]): string {
  return parts
    .filter((part) => part !== "")
    .map((part) => `${part}\n\n`)
    .join("");
}
