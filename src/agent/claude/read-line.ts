import { decodeLine, isIntricate, type Message, parseMessage } from "./line.ts";
import { type LineContent, WholeLine } from "./line-content.ts";

/** Of a line that is no message so much is looked at, in UTF-16 units. */
const BEGINNING_LENGTH = 200;

/** Takes what the lines of a process are. */
export interface LineReader {
  message(message: Message, line: LineContent): void;
  /** A line is no message; `printedBytes` is about how long it is. */
  malformed(beginning: string, printedBytes: number): void;
  /** A line is not to be looked into, or could not be. */
  refused(bytes: number, cause: "values" | "thread"): void;
}

/** Reads a line, without its newline. An empty one is nothing. */
export function readLine(bytes: Uint8Array, to: LineReader): void {
  if (isIntricate(bytes)) {
    to.refused(bytes.length, "values");
    return;
  }
  readText(decodeLine(bytes), bytes.length, to);
}

/** Reads a line of so many bytes that is not intricate. */
export function readText(line: string, bytes: number, to: LineReader): void {
  if (line.trim() === "") return;
  const message = parseMessage(line);
  if (message === undefined) to.malformed(line.slice(0, BEGINNING_LENGTH), bytes);
  else to.message(message, new WholeLine(line));
}
