import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { StreamEnding } from "../edge/stream-ending.ts";
import { leaveUnread } from "../edge/unread-request.ts";
import { Refusal, sessionElsewhere } from "../errors.ts";
import { deadlineOf } from "../rpc/request-headers.ts";
import type { ReceivedCall } from "../rpc/routing.ts";
import { afterLong } from "../stream/long-timer.ts";
import { answerHeaders, END_TRAILER } from "./forwarded-request.ts";
import type { Home } from "./homes.ts";
import { RelayedStream } from "./relayed-stream.ts";

/** What an answer may have that is given at once: more than any that the service gives. */
const MOST_ANSWER_BYTES = 8 * 1024 * 1024;
/** The home itself ends a call at its deadline. This is for one that does not. */
const DEADLINE_GRACE_MS = 2000;
/** Whoever was cut off may come back at once, to any replica. */
const RETRY_MS = 1000;

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_REFUSED_STREAM } = constants;

/** What became of a call that was handed on. Refused: its home has done nothing for it. */
export type Forwarded = "answered" | "refused";

/**
 * A call at its home: its bytes go there, and what comes goes to the client.
 *
 * 1. What ends it, ends it once: its answer's end, the home's, the client's, this server's, or its deadline's.
 * 2. An answer that is given at once is whole, or is not given at all. A stream is given in whole messages, and where it
 *    breaks off it ends as one that this server ends.
 * 3. Nothing is read of the home that the client has no room for.
 */
export class ForwardedCall {
  readonly #call: ReceivedCall;
  readonly #home: Home;
  readonly #stream: ClientHttp2Stream;
  readonly #outcome = Promise.withResolvers<Forwarded>();
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #headers: IncomingHttpHeaders | undefined;
  #trailers: IncomingHttpHeaders = {};
  #relayed: RelayedStream | undefined;
  /** Its home has said so. */
  #isWhole = false;
  #isOver = false;
  readonly #stopWaiting: () => void;
  readonly #named: { readonly turnId?: string; readonly sessionId?: string };

  constructor(call: ReceivedCall, home: Home, stream: ClientHttp2Stream) {
    this.#call = call;
    this.#home = home;
    this.#stream = stream;
    const { turnId = "", sessionId = "" } = (call.read?.message ?? {}) as Partial<
      Record<"turnId" | "sessionId", string>
    >;
    this.#named = { turnId, sessionId };
    this.#stopWaiting = this.#waitForDeadline();
  }

  /** Hands the call on. Resolves when all of its answer was given; throws as `Routing.answer`. */
  async run(): Promise<Forwarded> {
    const { reader, request, response } = this.#call;
    const stream = this.#stream;
    stream.on("response", this.#begin).on("data", this.#take);
    stream.on("trailers", (trailers: IncomingHttpHeaders) => {
      this.#trailers = trailers;
      this.#isWhole = trailers[END_TRAILER] !== undefined;
    });
    stream.on("error", () => {}); // Its close tells.
    stream.once("close", this.#close);
    reader.signal.addEventListener("abort", this.#leave);
    if (reader.signal.aborted) this.#leave();
    await leaveUnread(request, response);
    for (const piece of this.#call.read?.body ?? []) stream.write(piece);
    stream.end();
    try {
      return await this.#outcome.promise;
    } finally {
      reader.signal.removeEventListener("abort", this.#leave);
      this.#stopWaiting();
    }
  }

  readonly #begin = (headers: IncomingHttpHeaders, flags: number): void => {
    this.#headers = headers;
    this.#isWhole = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    // Until then it could be refused, and answered here.
    this.#call.read = undefined;
    const { shape } = this.#call;
    const type = String(headers["content-type"] ?? "");
    if (Number(headers[":status"]) !== 200 || shape?.is(type) !== true) return;
    this.#relayed = new RelayedStream(this.#call, shape, this.#stream, headers);
  };

  readonly #take = (chunk: Buffer): void => {
    if (this.#isOver) return;
    if (this.#relayed !== undefined) {
      this.#relayed.take(chunk);
      return;
    }
    this.#bytes += chunk.length;
    if (this.#bytes > MOST_ANSWER_BYTES) this.#stream.close(NGHTTP2_CANCEL);
    else this.#pieces.push(chunk);
  };

  /** The stream is over, in whichever way. */
  readonly #close = (): void => {
    const { rstCode } = this.#stream;
    if (this.#headers === undefined) {
      if (rstCode === NGHTTP2_REFUSED_STREAM) this.#finish("refused");
      else this.#fail(this.#gone());
    } else if (this.#isWhole) this.#answer(this.#headers);
    else this.#fail(this.#gone());
  };

  /** The client is gone, or this server ends its stream. */
  readonly #leave = (): void => {
    const { reason } = this.#call.reader.signal;
    if (!(reason instanceof StreamEnding)) {
      this.#finish("answered");
      return;
    }
    const end = () => this.#fail(this.#ended(reason.message));
    if (this.#relayed === undefined) end();
    else this.#relayed.whenWhole(end);
  };

  #answer(headers: IncomingHttpHeaders): void {
    if (this.#isOver) return;
    if (this.#relayed !== undefined) {
      this.#isOver = true;
      const ended = this.#relayed.end(answerHeaders(this.#trailers));
      void ended.then(() => this.#outcome.resolve("answered"));
      return;
    }
    const { response } = this.#call;
    response.writeHead(Number(headers[":status"]), answerHeaders(headers)); // 2.
    if (this.#bytes > 0) response.write(Buffer.concat(this.#pieces));
    response.addTrailers(answerHeaders(this.#trailers));
    response.end();
    this.#finish("answered");
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    if (this.#relayed === undefined) {
      this.#isOver = true;
      this.#outcome.reject(error);
    } else {
      this.#isOver = true;
      void this.#relayed.breakOff(error).then(() => this.#outcome.resolve("answered"));
    }
    this.#cancel();
  }

  // 1.
  #finish(outcome: Forwarded): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
    this.#outcome.resolve(outcome);
  }

  #cancel(): void {
    if (!this.#stream.closed) this.#stream.close(NGHTTP2_CANCEL);
  }

  #gone(): Refusal {
    if (this.#call.shape === undefined) return sessionElsewhere(this.#home.owner);
    return this.#ended("the server that has the turn is gone");
  }

  #ended(why: string): Refusal {
    const { turnId, sessionId } = this.#named;
    const metadata = {
      ...(turnId && { turn_id: turnId }),
      ...(sessionId && { session_id: sessionId }),
    };
    const message = `${why}; come back with what you had last to go on`;
    return new Refusal("STREAM_ENDED", message, { metadata, retryAfterMs: RETRY_MS });
  }

  #waitForDeadline(): () => void {
    const ms = deadlineOf(this.#call.request);
    if (ms === undefined) return () => {};
    const left = this.#call.since + ms + DEADLINE_GRACE_MS - performance.now();
    const late = () =>
      this.#fail(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    return afterLong(Math.max(0, left), late);
  }
}
