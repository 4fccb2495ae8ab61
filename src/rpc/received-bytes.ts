/** The largest piece that is allocated at once. */
const MAX_SEGMENT_BYTES = 1024 * 1024;

/**
 * Bytes that come in pieces of any size. They are copied, so that many small pieces cost no more than few large ones, and
 * into segments that grow, so that no piece costs much and nothing is allocated for what is only announced.
 */
export class ReceivedBytes {
  /** How many there are. */
  length = 0;
  readonly #segments: Uint8Array<ArrayBuffer>[] = [];
  #open = new Uint8Array(0);
  #used = 0;

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#used === this.#open.length) this.#grow(bytes.length - at);
      const part = bytes.subarray(at, at + this.#open.length - this.#used);
      this.#open.set(part, this.#used);
      this.#used += part.length;
      this.length += part.length;
      at += part.length;
    }
  }

  /** What has come, in order. It is the receiver's to give away: nothing may be added afterwards. */
  segments(): Uint8Array<ArrayBuffer>[] {
    return [...this.#segments, this.#open.subarray(0, this.#used)];
  }

  #grow(bytes: number): void {
    if (this.#used > 0) this.#segments.push(this.#open);
    this.#open = new Uint8Array(Math.min(Math.max(bytes, this.length), MAX_SEGMENT_BYTES));
    this.#used = 0;
  }
}

/** All segments as one; takes as long as it takes to copy them. */
export function joined(segments: readonly Uint8Array[]): Uint8Array {
  return segments.length === 1 ? segments[0]! : Buffer.concat(segments);
}
