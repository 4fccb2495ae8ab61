import type { Http2Session } from "node:http2";
import type { Log } from "../log.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import { Reader } from "./reader.ts";
import { StreamEnding } from "./stream-ending.ts";
import { readTcpQueues } from "./tcp-queues.ts";

/** What a reader that takes nothing may hold. */
export interface ReaderLimits {
  /** For how long a message may wait for a reader that takes nothing before its stream is ended, in milliseconds. */
  readonly readerStallMs: number;
  /** What all of those may hold together; beyond that the longest are cut off. */
  readonly maxStalledBytes: number;
}

/** Who has taken nothing for so long counts against `maxStalledBytes`. */
const IDLE_MS = 1000;
/** How often the readers are looked at. */
const LOOK_MS = 1000;
/** A connection that has as much on its way tells by its acknowledgements whether its peer reads. */
const BUFFERED_BYTES = 64 * 1024;
/** How long the readers of a connection that has to go get to take their ends. */
const CONNECTION_END_MS = 3000;

/**
 * All readers, and an eye on those that do not read.
 *
 * 1. A reader that takes nothing for `readerStallMs` while something waits for it is ended: once it reads again it gets
 *    what was given to it, and then the end.
 * 2. One that takes nothing for as long again is reset, and what it held is freed.
 * 3. Where those who take nothing hold too much together, the longest are reset at once.
 */
export class Readers {
  readonly #limits: ReaderLimits;
  readonly #closing: AbortSignal;
  readonly #log: Log;
  readonly #open = new Set<Reader>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  /** @param closing - When it aborts every stream is ended behind what was given to it so far. */
  constructor(limits: ReaderLimits, closing: AbortSignal, log: Log) {
    this.#limits = limits;
    this.#closing = closing;
    this.#log = log;
    closing.addEventListener("abort", () => {
      for (const reader of this.#open) reader.end(SHUTDOWN);
    });
  }

  /** How many responses are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Holds the reader of a response until that is closed. */
  add(request: HttpRequest, response: HttpResponse): Reader {
    const reader = new Reader(request, response);
    this.#open.add(reader);
    response.once("close", () => {
      reader.close();
      this.#remove(reader);
    });
    if (this.#closing.aborted) reader.end(SHUTDOWN);
    const everyMs = Math.min(LOOK_MS, this.#limits.readerStallMs / 5);
    this.#timer ??= setInterval(() => void this.#look(), everyMs).unref();
    return reader;
  }

  /**
   * Ends every stream that was opened with a credential that counts no more, or for somebody else now: behind what was
   * given to it so far.
   */
  async recheck(): Promise<void> {
    for (const reader of [...this.#open]) {
      const isAdmitted = await reader.isStillAdmitted();
      // An answer that is not begun was asked for by who was somebody then.
      if (!isAdmitted) void reader.writing.then(() => reader.end(REVOKED));
    }
  }

  /**
   * Ends a connection of HTTP/2 that has to go, and first says so (GOAWAY): no request is taken on it any more, and its
   * streams end behind what was given to them so far. Whoever has not taken that in time is reset.
   */
  endConnection(session: Http2Session, why: string): void {
    if (session.closed) return;
    this.#log.warn("a connection was ended", { why });
    session.close();
    const ending = new StreamEnding(why);
    for (const reader of this.#on(session)) reader.end(ending);
    const timer = setTimeout(() => {
      for (const reader of this.#on(session)) if (reader.isAnswered) reader.reset(ending);
      session.destroy();
    }, CONNECTION_END_MS).unref();
    session.once("close", () => clearTimeout(timer));
  }

  #on(session: Http2Session): Reader[] {
    return [...this.#open].filter((reader) => reader.session === session);
  }

  #remove(reader: Reader): void {
    this.#open.delete(reader);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const { readerStallMs } = this.#limits;
      this.#freeMemory();
      await this.#lookAtConnections(readerStallMs / 3);
      const stalled = `the reader took nothing for ${readerStallMs / 1000} s`;
      for (const reader of this.#idleFor(readerStallMs)) {
        if (reader.isEnded) this.#reset(reader, stalled);
        else reader.end(new StreamEnding(stalled));
      }
    } finally {
      this.#looking = false;
    }
  }

  #freeMemory(): void {
    const idle = this.#idleFor(Math.min(IDLE_MS, this.#limits.readerStallMs));
    let held = idle.reduce((sum, reader) => sum + reader.heldBytes, 0);
    idle.sort((one, other) => one.since - other.since);
    for (const reader of idle) {
      if (held <= this.#limits.maxStalledBytes) return;
      held -= reader.heldBytes;
      this.#reset(reader, "the readers that take nothing hold too much memory");
    }
  }

  /** Where much is on its way a write may wait long though the peer reads: the kernel takes no more before a third is free. */
  async #lookAtConnections(idleMs: number): Promise<void> {
    const idle = this.#idleFor(idleMs);
    const queues = await readTcpQueues(idle.flatMap(({ socket }) => socket ?? []));
    for (const reader of idle) {
      const { socket } = reader;
      const bytes = (socket && queues.get(socket)?.unacknowledged) ?? 0;
      const moved = bytes !== reader.unacknowledged && bytes >= BUFFERED_BYTES;
      if (moved && reader.unacknowledged !== undefined) reader.since = performance.now();
      reader.unacknowledged = bytes;
    }
  }

  #idleFor(ms: number): Reader[] {
    const now = performance.now();
    return [...this.#open].filter((reader) => reader.idleMs(now) >= ms);
  }

  #reset(reader: Reader, why: string): void {
    this.#log.warn("a reader was cut off", { why, heldBytes: reader.heldBytes });
    reader.reset(new StreamEnding(why));
    this.#remove(reader);
  }
}

const REVOKED = new StreamEnding("the credential that it was opened with counts no more");
const SHUTDOWN = new StreamEnding("the server shuts down");
