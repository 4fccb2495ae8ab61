const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);
/** What a line that goes on in the next chunk usually needs; as much is kept for the next one. */
const USUAL_BYTES = 64 * 1024;

/** What becomes of the bytes. */
export interface LineSink {
  /** A whole line, without its newline. Valid only during the call: its memory is the chunk's or used again. */
  line(bytes: Uint8Array): void;
  /** A line was longer than the limit and is dropped; `bytes` is its length without the newline. */
  skipped(bytes: number): void;
}

/**
 * Cuts a stream of bytes into lines, holding at most `maxBytes` of a line that has not ended, however small the chunks
 * are that it comes in, and half as much again while it makes room.
 *
 * Works on bytes, so a UTF-8 sequence that is split between chunks comes out whole.
 */
export class ByteLines {
  readonly #maxBytes: number;
  readonly #sink: LineSink;
  /** The beginning of the line: one piece of memory, since each chunk by itself costs some 200 bytes (measured). */
  #held: Uint8Array = NOTHING;
  /** The line's length so far, also where it is too long to be held. */
  #length = 0;

  constructor(maxBytes: number, sink: LineSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Takes the next bytes. Keeps none of the chunk's memory. */
  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#end(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  /** Ends the stream: what came after the last newline is a line too. */
  end(): void {
    if (this.#length > 0) this.#end(NOTHING);
  }

  #end(last: Uint8Array): void {
    if (this.#length === 0) this.#give(last, last.length);
    else {
      this.#hold(last);
      const length = this.#length;
      this.#length = 0;
      this.#give(this.#held, length);
    }
    if (this.#held.length > USUAL_BYTES) this.#held = NOTHING;
  }

  #give(bytes: Uint8Array, length: number): void {
    if (length > this.#maxBytes) this.#sink.skipped(length);
    else this.#sink.line(bytes.subarray(0, length));
  }

  #hold(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (length > this.#maxBytes) this.#held = NOTHING;
    else {
      if (length > this.#held.length) this.#grow(length);
      this.#held.set(part, this.#length);
    }
    this.#length = length;
  }

  #grow(least: number): void {
    const size = Math.min(this.#maxBytes, Math.max(least, 2 * this.#held.length, 1024));
    const grown = new Uint8Array(size);
    grown.set(this.#held.subarray(0, this.#length));
    this.#held = grown;
  }
}
