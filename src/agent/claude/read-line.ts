import { type FramedLine, frameLine, type ThrownAway } from "./framing.ts";
import { decode, isSpace, OPENING_BRACE } from "./json-bytes.ts";
import { KNOWN_TYPES, MAX_VALUES, type Message, parseMessage } from "./line.ts";
import { type LineContent, WholeLine } from "./line-content.ts";

/** Takes what the lines of a process are. */
export interface LineReader {
  /** @param line - What the message's own text holds. */
  message(message: Message, line: LineContent): void;
  /**
   * What is no message was thrown away: of a line that has nothing else, or in front of what a line has else.
   *
   * @param messages - How many messages of the line follow.
   */
  malformed(thrown: ThrownAway, messages: number): void;
  /** A line, or an object in it, is not to be looked into, or could not be. */
  refused(bytes: number, cause: "values" | "thread"): void;
}

/**
 * Reads a line, without its newline. An empty one is nothing.
 *
 * @param parsed - Called once the bytes are needed no more, before what they are is told.
 */
export function readLine(bytes: Uint8Array, to: LineReader, parsed: () => void = () => {}): void {
  const found = messagesOf(bytes);
  parsed();
  tellLine(found, to);
}

/** Tells what stands in a line. */
export function tellLine(
  { objects, intricate, thrown }: FramedLine<ReadMessage>,
  to: LineReader,
): void {
  for (const length of intricate) to.refused(length, "values");
  if (thrown !== undefined) to.malformed(thrown, objects.length);
  for (const { message, text } of objects) to.message(message, new WholeLine(text));
}

/** Whether what was printed of a line by now is a message, and nothing else. */
export function isWholeLine(bytes: Uint8Array): boolean {
  const { objects, intricate, thrown } = messagesOf(bytes);
  return objects.length > 0 && intricate.length === 0 && thrown?.hasBraces !== true;
}

/** A message that was found in a line. */
export interface ReadMessage {
  readonly message: Message;
  /** As it was printed. */
  readonly text: string;
}

/** What stands in a line, without its newline. */
export function messagesOf(bytes: Uint8Array): FramedLine<ReadMessage> {
  const whole = wholeMessage(bytes);
  return whole === undefined
    ? frame(bytes)
    : { objects: [whole], intricate: [], thrown: undefined };
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
