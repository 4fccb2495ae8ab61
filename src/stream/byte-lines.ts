import { MemoryBudget } from "./memory-budget.ts";

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);
/** What a line that goes on in the next chunk usually needs; as much is kept for the next one. */
const USUAL_BYTES = 64 * 1024;
/** By so much a longer line's memory grows. */
const STEP_BYTES = 256 * 1024;

/** Why a line was dropped: it was longer than any may be, there was no memory for it, or whoever was lent it lost it. */
export type SkipCause = "limit" | "memory" | "thread";

/** What becomes of the bytes. */
export interface LineSink {
  /** A whole line, without its newline. Valid only during the call: its memory is the chunk's or used again. */
  line(bytes: Uint8Array): void;
  /**
   * A line that is longer than `longBytes`: its memory is the taker's, who calls `giveBack` when it is gone. Whatever comes
   * behind it is not taken yet. Left out: it is a line like others.
   */
  long?(bytes: Uint8Array<ArrayBuffer>, giveBack: () => void): void;
  /** A line is dropped; `bytes` is its length without the newline. */
  skipped(bytes: number, cause: SkipCause): void;
}

/**
 * Cuts a stream of bytes into lines, holding at most `maxBytes` of a line that has not ended, however small the chunks
 * are that it comes in, and no more than 64 KiB that its budget does not grant.
 *
 * Works on bytes, so a UTF-8 sequence that is split between chunks comes out whole.
 */
export class ByteLines {
  readonly #maxBytes: number;
  readonly #sink: LineSink;
  readonly #memory: MemoryBudget;
  readonly #longBytes: number;
  /** The beginning of the line: one piece of memory, since each chunk by itself costs some 200 bytes (measured). */
  #held: Uint8Array = NOTHING;
  /** Where a long line is held: it grows in its place, and shrunk it is the system's again at once. */
  #long: ArrayBuffer | undefined;
  /** How much was taken for what is lent. */
  #lentBytes = 0;
  /** The line's length so far, also where it is not held. */
  #length = 0;
  /** Why the line is not held. */
  #dropped: SkipCause | undefined;

  /**
   * @param memory - What is held is taken from it.
   * @param longBytes - A line is long that has more, and came in more than one chunk; at least 64 KiB.
   */
  constructor(
    maxBytes: number,
    sink: LineSink,
    memory = new MemoryBudget(Number.MAX_VALUE),
    longBytes = Number.MAX_VALUE,
  ) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
    this.#memory = memory;
    this.#longBytes = Math.max(longBytes, USUAL_BYTES);
  }

  /** Takes the next bytes, up to the end of a long line. Keeps none of the chunk's memory. Answers how many it took. */
  push(chunk: Uint8Array): number {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const wasLong = this.#end(chunk.subarray(start, end));
      start = end + 1;
      if (wasLong) return start;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
    return chunk.length;
  }

  /** Ends the stream: what came after the last newline is a line too. */
  end(): void {
    if (this.#length > 0) this.#end(NOTHING);
    this.#release();
  }

  /** What came of the line that has not ended. Empty where there is none, or it is not held. */
  get held(): Uint8Array {
    return this.#dropped === undefined ? this.#held.subarray(0, this.#length) : NOTHING;
  }

  /**
   * Lends the memory of the line that has not ended. Until `takeBack` nothing may be pushed. Undefined: it is no long one, or
   * is not held.
   */
  lend(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#dropped !== undefined || !this.#isLong(this.#length)) return undefined;
    const bytes = new Uint8Array(this.#long!, 0, this.#length);
    this.#lentBytes = this.#held.length;
    this.#held = NOTHING;
    this.#long = undefined;
    return bytes;
  }

  /** Goes on with what was lent. Undefined: it was lost, and the line is skipped. */
  takeBack(memory: ArrayBuffer | undefined): void {
    if (memory !== undefined) {
      this.#long = memory;
      this.#held = new Uint8Array(memory);
    } else {
      this.#memory.giveBack(this.#lentBytes);
      this.#dropped = "thread";
    }
    this.#lentBytes = 0;
  }

  /** Gives up the line that is being read, where it is a long one: it is skipped. */
  drop(): void {
    if (this.#held.length > USUAL_BYTES) this.#drop("memory");
  }

  /** Answers whether it was a long one. */
  #end(last: Uint8Array): boolean {
    let isLong = false;
    if (this.#length === 0 && last.length <= this.#maxBytes) this.#sink.line(last);
    else {
      this.#hold(last);
      const length = this.#length;
      const dropped = this.#dropped;
      this.#length = 0;
      this.#dropped = undefined;
      isLong = dropped === undefined && this.#isLong(length);
      if (isLong) this.#handOver(length);
      else if (dropped === undefined) this.#sink.line(this.#held.subarray(0, length));
      else this.#sink.skipped(length, dropped);
    }
    if (this.#held.length > USUAL_BYTES) this.#release();
    return isLong;
  }

  #isLong(length: number): boolean {
    return length > this.#longBytes && this.#sink.long !== undefined;
  }

  #handOver(length: number): void {
    const bytes = new Uint8Array(this.#long!, 0, length);
    const taken = this.#held.length;
    this.#held = NOTHING;
    this.#long = undefined;
    this.#sink.long!(bytes, () => this.#memory.giveBack(taken));
  }

  #hold(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (this.#dropped === undefined) {
      if (length > this.#maxBytes) this.#drop("limit");
      else if (length > this.#held.length && !this.#grow(length)) this.#drop("memory");
      else this.#held.set(part, this.#length);
    }
    this.#length = length;
  }

  /** Answers whether there is room for so many bytes now; for a usual line there always is. */
  #grow(least: number): boolean {
    const size = sizeFor(least, this.#held.length, this.#maxBytes);
    const more = size - this.#held.length;
    if (size <= USUAL_BYTES) this.#memory.charge(more);
    else if (!this.#memory.take(more)) return false;
    if (size <= USUAL_BYTES) this.#move(new Uint8Array(size));
    else if (this.#long === undefined || this.#long.byteLength === 0) {
      this.#long ??= new ArrayBuffer(0, { maxByteLength: this.#maxBytes });
      this.#long.resize(size);
      this.#move(new Uint8Array(this.#long));
    } else this.#long.resize(size);
    return true;
  }

  #move(to: Uint8Array): void {
    to.set(this.#held.subarray(0, this.#length));
    this.#held = to;
  }

  #drop(cause: SkipCause): void {
    this.#dropped = cause;
    this.#release();
  }

  #release(): void {
    this.#memory.giveBack(this.#held.length);
    this.#held = NOTHING;
    this.#long?.resize(0);
  }
}

function sizeFor(least: number, held: number, maxBytes: number): number {
  const size =
    least <= USUAL_BYTES
      ? Math.min(USUAL_BYTES, Math.max(least, 2 * held, 1024))
      : Math.ceil(least / STEP_BYTES) * STEP_BYTES;
  return Math.min(maxBytes, size);
}
