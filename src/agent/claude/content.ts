import type { EventKind } from "../agent.ts";
import {
  type BlockOrigin,
  label,
  textEvent,
  thinkingEvent,
  toolEvent,
  toolResultEvent,
} from "../events.ts";
import type { ExactJson } from "./exact-json.ts";
import { excessBlocks, MAX_ENTRIES, malformedPart } from "./malformed.ts";
import {
  type AssistantMessage,
  answerPart,
  textBlock,
  thinkingBlock,
  toolResultBlock,
  toolUseBlock,
  type UserMessage,
} from "./messages.ts";

/**
 * Appends what the blocks of a model's message mean, one event for each block of a known kind, in their order; past
 * `MAX_ENTRIES` blocks, one notice.
 *
 * @param json - Of the whole line, for the numbers in a tool's input.
 */
export function appendBlocks(message: AssistantMessage, json: ExactJson, into: EventKind[]): void {
  const { id, content } = message.message;
  const origin = { messageId: label(id), parentToolId: label(message.parent_tool_use_id) };
  if (typeof content === "string") into.push(textEvent(content, origin));
  else {
    for (let i = 0; i < Math.min(content.length, MAX_ENTRIES); i++) {
      appendBlock(content[i], i, json, origin, into);
    }
    if (content.length > MAX_ENTRIES) into.push(excessBlocks(content.length));
  }
}

/**
 * Appends the tools' answers that a message to the model carries; past `MAX_ENTRIES` blocks, one notice. Its texts are not
 * the agent's words.
 */
export function appendToolResults(message: UserMessage, into: EventKind[]): void {
  const { content } = message.message;
  if (typeof content === "string") return;
  for (const block of content.slice(0, MAX_ENTRIES)) {
    if (typeOf(block) !== "tool_result") continue;
    const { data, error } = toolResultBlock.safeParse(block);
    if (error !== undefined) into.push(malformedPart("tool_result block", error));
    else {
      const parent = label(message.parent_tool_use_id);
      into.push(
        toolResultEvent(data.tool_use_id, data.is_error ?? false, answerText(data.content), parent),
      );
    }
  }
  if (content.length > MAX_ENTRIES) into.push(excessBlocks(content.length));
}

function appendBlock(
  block: unknown,
  index: number,
  json: ExactJson,
  origin: BlockOrigin,
  into: EventKind[],
): void {
  switch (typeOf(block)) {
    case "text": {
      const { data, error } = textBlock.safeParse(block);
      into.push(error ? malformedPart("text block", error) : textEvent(data.text, origin));
      break;
    }
    case "thinking": {
      const { data, error } = thinkingBlock.safeParse(block);
      into.push(
        error ? malformedPart("thinking block", error) : thinkingEvent(data.thinking, origin),
      );
      break;
    }
    case "tool_use": {
      const { data, error } = toolUseBlock.safeParse(block);
      if (error !== undefined) into.push(malformedPart("tool_use block", error));
      else {
        const input = json.textOf(data.input ?? {}, ["message", "content", index, "input"]);
        into.push(toolEvent(data.id, data.name, input, origin));
      }
    }
  }
}

/** A tool's answer as one text. */
function answerText(content: string | readonly unknown[] | null | undefined): string {
  if (typeof content === "string") return content;
  const parts = content ?? [];
  const texts = parts.slice(0, MAX_ENTRIES).map(partText);
  if (parts.length > MAX_ENTRIES) texts.push(`[${parts.length - MAX_ENTRIES} more parts]`);
  return texts.join("\n");
}

function partText(part: unknown): string {
  const { data } = answerPart.safeParse(part);
  if (data === undefined) return typeof part === "string" ? part : "[unknown]";
  if (data.type === "text") return data.text ?? "";
  const what = data.source?.media_type ?? data.tool_name;
  return what ? `[${data.type} ${what}]` : `[${data.type}]`;
}

function typeOf(block: unknown): unknown {
  return typeof block === "object" && block !== null && "type" in block ? block.type : undefined;
}
