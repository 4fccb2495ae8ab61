import type { EventKind } from "../agent.ts";
import { boundEvent } from "../bounded-event.ts";
import { partsOf } from "../event-parts.ts";
import type { JsonText } from "../events.ts";
import { echoedMessage } from "./control-messages.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import * as messages from "./messages.ts";
import type { LargeContent, PreparedPart } from "./prepared-line.ts";
import { type LineReader, readLine } from "./read-line.ts";
import { smallMessage } from "./small-message.ts";
import { SYNTHETIC_MODEL, syntheticText } from "./synthetic.ts";

/**
 * Does what takes long with a line: reads it, and leaves of it what a turn would keep. What is large yet comes in parts,
 * each a message of its own with some of the blocks. Whatever does not fit its schema is left to who translates it.
 *
 * @param maxEventBytes - What an event of it may take.
 * @param parsed - Called once the bytes are needed no more.
 * @returns None where the line is empty.
 */
export function prepareLine(
  bytes: Uint8Array,
  maxEventBytes: number,
  parsed?: () => void,
): PreparedPart[] {
  const parts: PreparedPart[] = [];
  const to: LineReader = {
    message: (message, line) => {
      for (const part of prepareMessage(message, line, maxEventBytes)) parts.push(part);
    },
    malformed: (thrown, messages) => parts.push({ is: "malformed", thrown, messages }),
    refused: (bytes, cause) => parts.push({ is: "refused", bytes, cause }),
  };
  readLine(bytes, to, parsed);
  return parts;
}

function prepareMessage(message: Message, line: LineContent, maxBytes: number): PreparedPart[] {
  switch (message.type) {
    case "assistant":
      return prepareAssistant(message, line, maxBytes);
    case "user":
      return prepareUser(message, line, maxBytes);
    case "result":
      return [prepareResult(message, line, maxBytes)];
    case "control_request":
      return [prepareQuestion(message, line, maxBytes)];
    case "stream_event": {
      const { message: small, isCut } = smallMessage(message);
      // A piece that is not whole is a lost one.
      const kept = isCut ? { type: message.type } : small;
      return [{ is: "message", message: kept, content: {}, printedBytes: line.printedBytes }];
    }
    default:
      return [small(message, line)];
  }
}

function prepareAssistant(message: Message, line: LineContent, maxBytes: number): PreparedPart[] {
  const { data } = messages.assistant.safeParse(message);
  if (data === undefined) return [small(message, line)];
  const { model, content } = data.message;
  if (model === SYNTHETIC_MODEL) {
    return [small(withInner(message, { content: syntheticText(content) }), line)];
  }
  const events: EventKind[] = [];
  line.appendBlocks(data, events);
  const [first, ...more] = inParts(withInner(message, { content: [] }), events, line, maxBytes);
  // Counted once, also where the message has no id.
  const uncounted = more.map((part) => ({
    ...part,
    message: withInner(part.message, { usage: null }),
  }));
  return [first!, ...uncounted];
}

function prepareUser(message: Message, line: LineContent, maxBytes: number): PreparedPart[] {
  const { data } = messages.user.safeParse(message);
  if (data === undefined) return [small(message, line)];
  const without = withInner(message, { content: [] });
  // Nobody looks into an echo.
  if (echoedMessage(message) !== undefined) return [small(without, line)];
  const events: EventKind[] = [];
  line.appendToolResults(data, events);
  return inParts(without, events, line, maxBytes);
}

function prepareResult(message: Message, line: LineContent, maxBytes: number): PreparedPart {
  const { data } = messages.result.safeParse(message);
  if (data === undefined) return small(message, line);
  const event = { case: "result", value: line.resultOf(data, 0) } as const;
  boundEvent(event, maxBytes);
  // Whose result it is depends on whether it says anything.
  const without = {
    result: data.result && " ",
    structured_output: null,
    permission_denials: null,
  };
  return small({ ...message, ...without }, line, { result: event.value });
}

function prepareQuestion(message: Message, line: LineContent, maxBytes: number): PreparedPart {
  const { data } = messages.toolRequest.safeParse(message);
  if (data === undefined) return small(message, line);
  const { request } = message as unknown as { request: object };
  const asked: object = { ...message, request: { ...request, input: {} } };
  return small(asked as Message, line, { input: bounded(line.inputOf(data.request), maxBytes) });
}

/** What is too large for the event that would show it nobody is shown. */
function bounded(input: JsonText, maxBytes: number): JsonText {
  const bytes = Buffer.byteLength(input.json);
  return bytes <= maxBytes ? input : { json: "", truncated: true, totalBytes: BigInt(bytes) };
}

function inParts(
  message: Message,
  events: readonly EventKind[],
  line: LineContent,
  maxBytes: number,
): Extract<PreparedPart, { is: "message" }>[] {
  for (const event of events) boundEvent(event, maxBytes);
  const parts = partsOf(events);
  const { message: small } = smallMessage(message);
  const printedBytes = line.printedBytes / parts.length;
  return parts.map((some) => ({
    is: "message",
    message: small,
    content: { events: some },
    printedBytes,
  }));
}

function small(message: Message, line: LineContent, content: LargeContent = {}): PreparedPart {
  const { printedBytes } = line;
  return { is: "message", message: smallMessage(message).message, content, printedBytes };
}

/** A message with other fields in the one of the model's that it holds. */
function withInner(message: Message, fields: object): Message {
  const { message: inner } = message as unknown as { message: object };
  return { ...message, message: { ...inner, ...fields } } as Message;
}
