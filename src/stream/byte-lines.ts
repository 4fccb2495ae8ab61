const NEWLINE = 0x0a;

/** What becomes of the bytes. */
export interface LineSink {
  /** A whole line, without its newline. Valid only during the call: it may share memory with the chunk. */
  line(bytes: Uint8Array): void;
  /** A line was longer than the limit and is dropped; `bytes` is its length without the newline. */
  skipped(bytes: number): void;
}

/**
 * Cuts a stream of bytes into lines, holding at most `maxBytes` of a line that has not ended.
 *
 * Works on bytes, so a UTF-8 sequence that is split between chunks comes out whole.
 */
export class ByteLines {
  readonly #maxBytes: number;
  readonly #sink: LineSink;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(maxBytes: number, sink: LineSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Takes the next bytes. The chunk must not be written to afterwards. */
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
    if (this.#length > 0) this.#end(new Uint8Array(0));
  }

  #hold(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#maxBytes) this.#parts = [];
    else this.#parts.push(part);
  }

  #end(last: Uint8Array): void {
    const length = this.#length + last.length;
    const parts = this.#parts;
    this.#parts = [];
    this.#length = 0;
    if (length > this.#maxBytes) this.#sink.skipped(length);
    else if (parts.length === 0) this.#sink.line(last);
    else this.#sink.line(Buffer.concat([...parts, last], length));
  }
}
