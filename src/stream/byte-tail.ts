/** Keeps the last bytes of a stream, as text. */
export class ByteTail {
  readonly #maxBytes: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes, dropping the oldest beyond the limit. */
  push(chunk: Uint8Array): void {
    const kept = Buffer.concat([this.#bytes, chunk.subarray(-this.#maxBytes)]);
    this.#bytes = Buffer.from(kept.subarray(-this.#maxBytes));
  }

  /** What is kept, as UTF-8; a sequence that the limit cut begins with U+FFFD. */
  get text(): string {
    return this.#bytes.toString("utf8");
  }
}
