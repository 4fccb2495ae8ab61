import { type FramedLine, frameLine, type ThrownAway } from "./framing.ts";
import { decode, endOfText, isSpace, OPENING_BRACE, QUOTE } from "./json-bytes.ts";

/** What every line that is understood at least is. */
export interface Message {
  readonly type: string;
  readonly subtype?: unknown;
  readonly isReplay?: unknown;
}

/** What the CLI prints, as far as it is known: what else is found beside other things is thrown away with them. */
const KNOWN_TYPES: ReadonlySet<string> = new Set([
  "assistant",
  "command_lifecycle",
  "control_cancel_request",
  "control_request",
  "control_response",
  "conversation_reset",
  "rate_limit_event",
  "result",
  "stream_event",
  "system",
  "tool_progress",
  "user",
]);

/** 1 for what stands before a value: an opening bracket or brace, or a comma. A set takes five times as long. */
const BEFORE_VALUE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number("[{,".includes(String.fromCharCode(byte))),
);

/**
 * A parsed value takes some 60 bytes however short it is: a line of 32 MiB of the shortest took 680 MB and two seconds
 * (measured). So many take 3 MB and some 10 ms; the CLI was not seen to print a tenth of it.
 */
export const MAX_VALUES = 50_000;

/** Whether a line has too many values to be parsed. Its texts, however long, are one value each. */
export function isIntricate(bytes: Uint8Array): boolean {
  if (bytes.length < MAX_VALUES) return false;
  let values = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) i = endOfText(bytes, i + 1);
    else if (BEFORE_VALUE[byte] === 1 && ++values > MAX_VALUES) return true;
  }
  return false;
}

/** A line as a message. Undefined: it is no JSON object with a `type`. */
export function parseMessage(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isMessage(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMessage(value: unknown): value is Message {
  if (typeof value !== "object" || value === null) return false;
  return "type" in value && typeof value.type === "string";
}

/** Takes what the lines of a process are. */
export interface LineReader {
  /** @param line - The message's own text. */
  message(message: Message, line: string): void;
  /**
   * What is no message was thrown away: of a line that has nothing else, or in front of what a line has else.
   *
   * @param messages - How many messages of the line follow.
   */
  malformed(thrown: ThrownAway, messages: number): void;
  /** A line, or an object in it, is not to be looked into. */
  refused(bytes: number, cause: "values"): void;
}

/** Reads a line, without its newline. An empty one is nothing. */
export function readLine(bytes: Uint8Array, to: LineReader): void {
  const whole = wholeMessage(bytes);
  if (whole !== undefined) {
    to.message(whole.message, whole.text);
    return;
  }
  const { objects, intricate, thrown } = frame(bytes);
  for (const length of intricate) to.refused(length, "values");
  if (thrown !== undefined) to.malformed(thrown, objects.length);
  for (const { message, text } of objects) to.message(message, text);
}

/** Whether what was printed of a line by now is a message, and nothing else. */
export function isWholeLine(bytes: Uint8Array): boolean {
  if (wholeMessage(bytes) !== undefined) return true;
  const { objects, intricate, thrown } = frame(bytes);
  return objects.length > 0 && intricate.length === 0 && thrown?.hasBraces !== true;
}

interface ReadMessage {
  readonly message: Message;
  /** As it was printed. */
  readonly text: string;
}

/** What a line is that is nothing but a message, and no long one. Long ones are framed first, and parsed once. */
function wholeMessage(bytes: Uint8Array): ReadMessage | undefined {
  if (bytes[0] !== OPENING_BRACE || bytes.length >= MAX_VALUES) return undefined;
  return read(bytes);
}

function read(bytes: Uint8Array): ReadMessage | undefined {
  const text = decode(bytes);
  const message = parseMessage(text);
  return message && { message, text };
}

function frame(line: Uint8Array): FramedLine<ReadMessage> {
  const { start, end } = trimmed(line);
  return frameLine(line, {
    isKnown: (type) => KNOWN_TYPES.has(type),
    parse: (object) => {
      const found = read(object);
      const isWhole = object.length === end - start;
      return isWhole || KNOWN_TYPES.has(found?.message.type ?? "") ? found : undefined;
    },
    maxValues: MAX_VALUES,
  });
}

function trimmed(bytes: Uint8Array): { readonly start: number; readonly end: number } {
  let [start, end] = [0, bytes.length];
  while (start < end && isSpace(bytes[start])) start++;
  while (end > start && isSpace(bytes[end - 1])) end--;
  return { start, end };
}
