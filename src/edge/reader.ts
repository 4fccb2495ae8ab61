import { constants, type Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { BodyWriter } from "./body-writer.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import { ClientGone, StreamEnding } from "./stream-ending.ts";

/**
 * Who reads one response.
 *
 * Its signal is what everything held for the response is released by: a handler's own end does not come where a client
 * vanishes while a write is blocked.
 */
export class Reader {
  /** What its handler holds for it beside what the writer has, in bytes. */
  handlerBytes: () => number = () => 0;
  /** Whether who reads would still be let in, by the credential that it was opened with. */
  isStillAdmitted: () => boolean | Promise<boolean> = () => true;
  /** Resolves when its response is being written. */
  readonly writing: Promise<BodyWriter>;
  /** When it last took something, or was found to have nothing to take; a time of `performance.now`. */
  since = performance.now();
  /** What its connection had not acknowledged when it was looked at last. */
  unacknowledged: number | undefined;

  readonly #request: HttpRequest;
  readonly #response: HttpResponse;
  readonly #controller = new AbortController();
  /** Undefined: nothing is written yet. */
  #writer: BodyWriter | undefined;
  #writes = 0;
  #isClosed = false;
  readonly #startWriting: (writer: BodyWriter) => void;

  constructor(request: HttpRequest, response: HttpResponse) {
    const writing = Promise.withResolvers<BodyWriter>();
    this.writing = writing.promise;
    this.#startWriting = writing.resolve;
    this.#request = request;
    this.#response = response;
  }

  /** Aborts when the client is gone, and with a `StreamEnding` when the server ends a stream. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The connection of HTTP/2 that it reads on; undefined: it is another, or closed. */
  get session(): Http2Session | undefined {
    return "stream" in this.#request ? this.#request.stream.session : undefined;
  }

  /** The connection that it reads on; undefined where that is closed. */
  get socket(): Socket | undefined {
    if (!("stream" in this.#request)) return this.#request.socket;
    const { session } = this;
    return session === undefined || session.destroyed ? undefined : session.socket;
  }

  /** Whether it was given the beginning of its response. */
  get isAnswered(): boolean {
    return this.#writer !== undefined;
  }

  /** Whether the server has ended it. */
  get isEnded(): boolean {
    return this.signal.reason instanceof StreamEnding;
  }

  /** What it keeps in memory by not reading. */
  get heldBytes(): number {
    return (this.#writer?.waitingBytes ?? 0) + this.handlerBytes();
  }

  /** For how long something has been waiting for it of which it took nothing, in milliseconds. */
  idleMs(now: number): number {
    const { writes = 0, waitingBytes = 0 } = this.#writer ?? {};
    if (waitingBytes === 0 || writes !== this.#writes) {
      this.since = now;
      this.unacknowledged = undefined;
    }
    this.#writes = writes;
    return now - this.since;
  }

  /** Its response is written from now on. */
  reads(writer: BodyWriter): void {
    this.#writer = writer;
    this.#startWriting(writer);
    if (this.#isClosed) writer.close();
  }

  /** Ends its stream behind what was given to it so far; it has as long again to take that. */
  end(ending: StreamEnding): void {
    this.since = performance.now();
    this.#controller.abort(ending);
  }

  /** Ends it at once, whatever it has not taken. A client of HTTP/2 sees UNAVAILABLE. */
  reset(ending: StreamEnding): void {
    this.end(ending);
    // Of the codes only this one means UNAVAILABLE to gRPC. Nobody runs the request again: it has its headers.
    this.cut(constants.NGHTTP2_REFUSED_STREAM);
  }

  /** Cuts its response off in the middle. */
  cut(code = constants.NGHTTP2_INTERNAL_ERROR): void {
    if ("stream" in this.#request) {
      this.#request.stream.close(code);
      this.#request.stream.destroy();
    } else {
      const { socket } = this.#request;
      // What the kernel holds for a peer that does not read would outlive the connection, but for a reset.
      if ("encrypted" in socket) socket.destroy();
      else socket.resetAndDestroy();
    }
    this.close();
  }

  /** Lets go of everything: the response is over. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.handlerBytes = () => 0;
    // A response is also ended where its writer gave up because a write failed, which over HTTP/1.1 comes first.
    const isWhole = this.#writer?.isEnded ?? this.#response.writableEnded;
    this.#writer?.close();
    if (!isWhole) this.#controller.abort(new ClientGone());
  }
}
