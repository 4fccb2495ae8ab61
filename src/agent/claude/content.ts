import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import {
  type BlockOrigin,
  label,
  noticeEvent,
  textEvent,
  thinkingEvent,
  toolEvent,
  toolResultEvent,
} from "../events.ts";
import { answerText } from "./answer-text.ts";
import type { ExactJson } from "./exact-json.ts";
import { excessBlocks, MAX_ENTRIES, malformedPart, unknownBlock } from "./malformed.ts";
import {
  type AssistantMessage,
  textBlock,
  thinkingBlock,
  toolResultBlock,
  toolUseBlock,
  type UserMessage,
} from "./messages.ts";

const REDACTED = "The model reasoned here; what it thought is encrypted, and is not shown";

/**
 * Appends what the blocks of a model's message mean, one event for each block, in their order: those of an unknown kind
 * are notices; past `MAX_ENTRIES` blocks, one notice.
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

/** The blocks of a `user` line that repeat what somebody said. */
const WORDS: ReadonlySet<unknown> = new Set(["text", "image", "document"]);

/**
 * Appends the tools' answers that a message to the model carries; past `MAX_ENTRIES` blocks, one notice. Its texts are not
 * the agent's words.
 */
export function appendToolResults(message: UserMessage, into: EventKind[]): void {
  const { content } = message.message;
  if (typeof content === "string") return;
  for (const block of content.slice(0, MAX_ENTRIES)) {
    const type = typeOf(block);
    if (isToolResult(type)) appendToolResult(block, type, label(message.parent_tool_use_id), into);
    else if (!WORDS.has(type)) into.push(unknownBlock(type));
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
  const type = typeOf(block);
  switch (type) {
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
    case "redacted_thinking":
      into.push(noticeEvent(NoticeReason.AGENT_WARNING, REDACTED));
      break;
    default:
      if (isToolUse(type)) appendToolUse(block, type, index, json, origin, into);
      else if (isToolResult(type)) appendToolResult(block, type, origin.parentToolId, into);
      else into.push(unknownBlock(type));
  }
}

/** `tool_use`, and what the model's own side or an MCP server runs: `server_tool_use`, `mcp_tool_use`. */
function appendToolUse(
  block: unknown,
  type: string,
  index: number,
  json: ExactJson,
  origin: BlockOrigin,
  into: EventKind[],
): void {
  const { data, error } = toolUseBlock.safeParse(block);
  if (error !== undefined) into.push(malformedPart(`${type} block`, error));
  else {
    const input = json.textOf(data.input ?? {}, ["message", "content", index, "input"]);
    into.push(toolEvent(data.id, data.name, input, origin));
  }
}

/** `tool_result`, and the results of the others: `mcp_tool_result`, `web_search_tool_result`. */
function appendToolResult(
  block: unknown,
  type: string,
  parentToolId: string,
  into: EventKind[],
): void {
  const { data, error } = toolResultBlock.safeParse(block);
  if (error !== undefined) into.push(malformedPart(`${type} block`, error));
  else {
    const { tool_use_id, is_error, content } = data;
    into.push(toolResultEvent(tool_use_id, is_error ?? false, answerText(content), parentToolId));
  }
}

function isToolUse(type: unknown): type is string {
  return typeof type === "string" && /(^|_)tool_use$/.test(type);
}

function isToolResult(type: unknown): type is string {
  return typeof type === "string" && /(^|_)tool_result$/.test(type);
}

function typeOf(block: unknown): unknown {
  return typeof block === "object" && block !== null && "type" in block ? block.type : undefined;
}
