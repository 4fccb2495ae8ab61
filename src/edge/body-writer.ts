import type { HttpResponse } from "./http.ts";

/** What is on its way to one peer at a time, and what is read ahead of that. */
const WRITE_BYTES = 16 * 1024;

/**
 * Writes the body of a response.
 *
 * Pieces that are there at the same moment leave in one write, for a write costs more than an event; none waits for one
 * that is not there yet. At most 16 KiB are given to the connection before it has taken them, and at most as much, or one
 * piece, is read ahead: so much memory does a peer hold that takes nothing.
 */
export class BodyWriter {
  /** Resolves when the connection was given the whole body, or was closed. Rejects with what the body throws. */
  readonly written: Promise<void>;

  readonly #response: HttpResponse;
  readonly #body: AsyncIterator<Uint8Array>;
  readonly #end = Promise.withResolvers<void>();
  readonly #ready: Uint8Array[] = [];
  #readyBytes = 0;
  /** The sizes of the writes that the connection has not taken yet. */
  readonly #given: number[] = [];
  #givenBytes = 0;
  #writes = 0;
  #phase: "open" | "ended" | "closed" = "open";
  #reading = false;
  #flushing = false;

  /** @param first - What the body gave first: it was asked before the headers were written. */
  constructor(
    response: HttpResponse,
    body: AsyncIterator<Uint8Array>,
    first: IteratorResult<Uint8Array>,
  ) {
    this.#response = response;
    this.#body = body;
    this.written = this.#end.promise;
    this.#take(first);
  }

  /** What the peer could not be given yet, in bytes; 0: nothing waits for it. */
  get waitingBytes(): number {
    return this.#givenBytes + this.#readyBytes;
  }

  /** How many writes the connection has taken, of at most 16 KiB each. */
  get writes(): number {
    return this.#writes;
  }

  /** Whether what it holds is all that it should. */
  get isFull(): boolean {
    return this.#readyBytes >= WRITE_BYTES || this.#phase !== "open";
  }

  /** Whether the connection was given the whole body; not where it broke before. */
  get isEnded(): boolean {
    return this.#phase === "ended";
  }

  /** Called whenever it is full no longer. */
  onRoom: (() => void) | undefined;

  /** Takes a piece beside those of the body, which must not have ended. */
  push(piece: Uint8Array): void {
    if (this.#phase !== "open") return;
    this.#add(piece);
  }

  /** Lets go of the body: nobody is there to read it. Idempotent. */
  close(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.onRoom = undefined;
    this.#ready.length = 0;
    this.#readyBytes = 0;
    this.#givenBytes = 0;
    void this.#body.return?.().catch(() => {});
    this.#end.resolve();
  }

  #read(): void {
    if (this.#reading || this.#phase !== "open" || this.#readyBytes >= WRITE_BYTES) return;
    this.#reading = true;
    this.#body.next().then(this.#take, this.#end.reject);
  }

  readonly #take = (result: IteratorResult<Uint8Array>): void => {
    this.#reading = false;
    if (this.#phase !== "open") return;
    if (result.done === true) {
      this.#phase = "ended";
      this.#flush();
      return;
    }
    this.#add(result.value);
    this.#read();
  };

  #add(piece: Uint8Array): void {
    this.#ready.push(piece);
    this.#readyBytes += piece.length;
    if (this.#readyBytes >= WRITE_BYTES) this.#flush();
    else this.#flushSoon();
  }

  /** After the promises that are settled already, and before anything else that happens. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    process.nextTick(this.#flushNow);
  }

  readonly #flushNow = (): void => {
    this.#flushing = false;
    this.#flush();
  };

  #flush(): void {
    while (this.#ready.length > 0) {
      const [count, size] = this.#next();
      if (this.#givenBytes > 0 && this.#givenBytes + size > WRITE_BYTES) return;
      this.#give(count, size);
    }
    if (this.#phase === "ended") this.#end.resolve();
  }

  /** How many ready pieces make the next write, and its size: 0 of them where it is a part of the first. */
  #next(): [count: number, size: number] {
    let count = 0;
    let size = 0;
    for (const piece of this.#ready) {
      if (size + piece.length > WRITE_BYTES) break;
      size += piece.length;
      count++;
    }
    return count === 0 ? [0, WRITE_BYTES] : [count, size];
  }

  #give(count: number, size: number): void {
    this.#readyBytes -= size;
    this.#givenBytes += size;
    this.#given.push(size);
    this.#response.write(this.#cut(count, size), this.#taken);
  }

  #cut(count: number, size: number): Uint8Array {
    const first = this.#ready[0]!;
    if (count === 0) {
      this.#ready[0] = first.subarray(size);
      return first.subarray(0, size);
    }
    const pieces = this.#ready.splice(0, count);
    return count === 1 ? first : Buffer.concat(pieces, size);
  }

  readonly #taken = (error?: Error | null): void => {
    if (this.#phase === "closed") return;
    if (error) {
      this.close();
      return;
    }
    this.#givenBytes -= this.#given.shift() ?? 0;
    this.#writes++;
    this.#flush();
    this.#read();
    if (!this.isFull) this.onRoom?.();
  };
}
