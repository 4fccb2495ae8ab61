import type { Log } from "../log.ts";
import type { Framing, StreamShape } from "../rpc/stream-shape.ts";
import { problemOf } from "./problem.ts";
import type { StreamFormat } from "./stream-format.ts";

const NEWLINE = 0x0a;

/** Streams of a format: what stands for a message in them is a line, or what an empty line ends. */
export function plainShape(format: StreamFormat, log: Log): StreamShape {
  return {
    is: (mediaType) => mediaType === format.mediaType,
    follow: () => new LineFraming(format.mediaType === "text/event-stream" ? 2 : 1),
    end(error) {
      const { members, refusal } = problemOf(error, log);
      const { turn_id = "", session_id = "" } = refusal?.details.metadata ?? {};
      const line = { kind: "problem", turn_id, session_id, ...members };
      const piece = Buffer.from(format.problem(line, refusal?.details.retryAfterMs));
      return { piece, trailers: {} };
    },
  };
}

/** What so many line breaks end, one behind the other. */
class LineFraming implements Framing {
  readonly #breaks: number;
  /** How many there are at the end of what came. */
  #seen = 0;

  constructor(breaks: number) {
    this.#breaks = breaks;
  }

  wholeBytes(piece: Uint8Array): number {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const whole = this.#lastEnd(bytes);
    this.#seen = this.#seenAfter(bytes);
    return whole;
  }

  #lastEnd(bytes: Buffer): number {
    for (let at = bytes.lastIndexOf(NEWLINE); at !== -1; at = bytes.lastIndexOf(NEWLINE, at - 1)) {
      let breaks = 1;
      while (breaks < this.#breaks && bytes[at - breaks] === NEWLINE) breaks++;
      if (at - breaks < 0) breaks += this.#seen;
      if (breaks >= this.#breaks) return at + 1;
      if (at === 0) break;
    }
    return 0;
  }

  #seenAfter(bytes: Buffer): number {
    let breaks = 0;
    while (breaks < bytes.length && bytes[bytes.length - 1 - breaks] === NEWLINE) breaks++;
    const all = breaks === bytes.length ? breaks + this.#seen : breaks;
    return Math.min(all, this.#breaks);
  }
}
