import { type LineReader, messagesOf, type ReadMessage, tellLine } from "./read-line.ts";

/** The two parts of a message that are put together again have so many bytes at most; longer lines are read elsewhere. */
const MOST_BYTES = 256 * 1024;

/** A line that breaks off in an object. */
interface TornLine {
  readonly bytes: Uint8Array;
  /** How many messages it had by itself. */
  readonly messages: number;
}

/**
 * Reads the lines of a process, those too that a newline came into the middle of, alone or behind another program's line: a
 * message of which the first part ends one line and the rest begins the next.
 *
 * 1. Nothing waits for the rest: what a line has by itself is told at once, with what was thrown away of it.
 * 2. A line that is a message by itself is never the rest of another.
 */
export class TornLines {
  #torn: TornLine | undefined;

  /** Reads a line, without its newline. */
  read(bytes: Uint8Array, to: LineReader): void {
    const torn = this.#torn;
    this.#torn = undefined;
    const found = messagesOf(bytes);
    const isTorn = found.thrown?.hasBraces === true;
    if (torn !== undefined && isTorn) {
      const mended = mendedBy(torn, bytes);
      // 2.
      if (mended.length > found.objects.length) {
        tellLine({ objects: mended, intricate: [], thrown: undefined }, to);
        return;
      }
    }
    tellLine(found, to); // 1.
    // Its memory is used again.
    if (isTorn && bytes.length < MOST_BYTES)
      this.#torn = { bytes: new Uint8Array(bytes), messages: found.objects.length };
  }
}

/** The messages that a torn line and the next one have together and the torn one had not. */
function mendedBy(torn: TornLine, rest: Uint8Array): readonly ReadMessage[] {
  if (torn.bytes.length + rest.length > MOST_BYTES) return [];
  const { objects, thrown } = messagesOf(Buffer.concat([torn.bytes, rest]));
  return thrown?.hasBraces === true ? [] : objects.slice(torn.messages);
}
