import { Refusal } from "../errors.ts";
import { BodyBudget, type BodyShare } from "./body-budget.ts";
import type { HttpRequest } from "./http.ts";
import { ClientGone } from "./stream-ending.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** What bounds the reading of bodies. */
export interface BodyLimits {
  /** From its request's headers to its last byte, in milliseconds. */
  readonly withinMs: number;
  /** What all of them may hold together beyond their first few KiB, in bytes. */
  readonly budgetBytes: number;
}

/** A body has so long from its request's headers to its last byte, and longer where the largest takes that at so slow a pace. */
const LEAST_MS = 60_000;
const SLOWEST_BYTES_PER_SECOND = 256 * KIB;
/** What all bodies may hold together, or as much as so many of the largest. */
const BUDGET_BYTES = 64 * MIB;
const BUDGET_BODIES = 2;
/** When a request that found no room may be made again: bodies come and go. */
const RETRY_MS = 1000;
/** What is read is gathered in blocks, which grow: most bodies fit into the first. */
const FIRST_BLOCK_BYTES = 4 * KIB;
const BLOCK_GROWTH = 4;
const MOST_BLOCK_BYTES = 64 * KIB;

/** The body of a request as its bytes. It is read while it is iterated, once. */
export interface RequestBody extends AsyncIterable<Uint8Array> {
  /** Lets go of what it holds: its request is over, answered or not. Idempotent. */
  release(): void;
}

/**
 * Bounds for a server whose messages are so large: there is time on a slow line, and room for them.
 *
 * @param usualBytes - The largest message as most clients write it.
 * @param mostBytes - The largest that there can be.
 */
export function bodyLimits(usualBytes: number, mostBytes: number): BodyLimits {
  return {
    withinMs: Math.max(LEAST_MS, (usualBytes / SLOWEST_BYTES_PER_SECOND) * 1000),
    budgetBytes: Math.max(BUDGET_BYTES, BUDGET_BODIES * mostBytes),
  };
}

/** Reads the bodies of requests, each within a time and all of them within one budget of memory. */
export class RequestBodies {
  readonly #budget: BodyBudget;
  readonly #withinMs: number;

  constructor({ withinMs, budgetBytes }: BodyLimits) {
    this.#budget = new BodyBudget(budgetBytes);
    this.#withinMs = withinMs;
  }

  /** What bodies hold now, in bytes. */
  get heldBytes(): number {
    return this.#budget.taken;
  }

  /**
   * The body of a request whose headers have just come. Nothing of it is read before it is iterated.
   *
   * Iterating it throws `Refusal` TOO_MANY_REQUESTS where bodies hold too much, BODY_TIMEOUT where it does not end in
   * time, and `ClientGone` where it never will.
   */
  of(request: HttpRequest): RequestBody {
    return new BlockReader(request, this.#budget.open(), this.#withinMs);
  }
}

/**
 * Gathers what comes, in whatever pieces, in blocks.
 *
 * The pieces are copied: one of a byte costs a hundred times that, and over HTTP/2 it keeps all in memory that came with
 * it. Blocks are counted for what they take, not for what is in them.
 */
class BlockReader implements RequestBody {
  readonly #request: HttpRequest;
  readonly #share: BodyShare;
  readonly #withinMs: number;
  readonly #startedAt = performance.now();
  /** Full ones that nobody has taken yet. */
  readonly #full: Uint8Array[] = [];
  /** The one that is being filled. */
  #block: Buffer | undefined;
  #filled = 0;
  #blockBytes = FIRST_BLOCK_BYTES;
  #state: "reading" | "ended" | { readonly failure: Error } = "reading";
  #changed = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(request: HttpRequest, share: BodyShare, withinMs: number) {
    this.#request = request;
    this.#share = share;
    this.#withinMs = withinMs;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    const request = this.#request;
    const left = Math.max(1, this.#startedAt + this.#withinMs - performance.now());
    this.#timer = setTimeout(this.#expire, left);
    request.on("data", this.#add).once("end", this.#end);
    request.on("error", this.#abandon).once("close", this.#abandon);
    if (request.destroyed) this.#abandon();
    try {
      for (;;) {
        const block = this.#full.shift();
        if (block !== undefined) yield block;
        else if (typeof this.#state === "object") throw this.#state.failure;
        else if (this.#state === "ended") return;
        else await this.#change();
      }
    } finally {
      // The stream flows on without it: what still comes is thrown away. What was read is still held, by whoever reads it.
      request.off("data", this.#add).off("end", this.#end).off("close", this.#abandon);
      clearTimeout(this.#timer);
    }
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#share.release();
    // Who still reads it must not take what it has for all of it.
    if (this.#state === "reading" || this.#full.length > 0)
      this.#state = { failure: new ClientGone() };
    this.#full.length = 0;
    this.#block = undefined;
    this.#changed.resolve();
  }

  async #change(): Promise<void> {
    await this.#changed.promise;
    this.#changed = Promise.withResolvers();
  }

  readonly #add = (chunk: Buffer): void => {
    for (let taken = 0; taken < chunk.length && this.#state === "reading"; ) {
      this.#block ??= this.#makeBlock();
      if (this.#block === undefined) return;
      const copied = chunk.copy(this.#block, this.#filled, taken);
      taken += copied;
      this.#filled += copied;
      if (this.#filled === this.#block.length) this.#pass();
    }
  };

  /** Undefined: there is no room for one, and the body has failed. */
  #makeBlock(): Buffer | undefined {
    const bytes = this.#blockBytes;
    if (!this.#share.take(bytes)) {
      this.#fail(noRoom());
      return undefined;
    }
    this.#blockBytes = Math.min(MOST_BLOCK_BYTES, bytes * BLOCK_GROWTH);
    return Buffer.allocUnsafeSlow(bytes);
  }

  /** The block that is being filled is to be taken. */
  #pass(): void {
    if (this.#block === undefined || this.#filled === 0) return;
    this.#full.push(this.#block.subarray(0, this.#filled));
    this.#block = undefined;
    this.#filled = 0;
    this.#changed.resolve();
  }

  readonly #end = (): void => {
    // A stream of HTTP/2 that was reset without an error ends as if all had come.
    if ("stream" in this.#request ? this.#request.stream.closed : !this.#request.complete) {
      this.#abandon();
      return;
    }
    if (this.#state !== "reading") return;
    this.#pass();
    this.#state = "ended";
    this.#changed.resolve();
  };

  readonly #abandon = (): void => this.#fail(new ClientGone());

  readonly #expire = (): void => {
    const seconds = Math.round(this.#withinMs / 1000);
    const message = `the request's body did not end within ${seconds} s of its headers: send it faster, or less`;
    this.#fail(new Refusal("BODY_TIMEOUT", message));
  };

  #fail(failure: Error): void {
    if (this.#state !== "reading") return;
    this.#full.length = 0;
    this.#state = { failure };
    this.release();
  }
}

function noRoom(): Refusal {
  const message =
    "the requests that are being read hold all the memory there is for them: try again";
  return new Refusal("TOO_MANY_REQUESTS", message, { retryAfterMs: RETRY_MS });
}
