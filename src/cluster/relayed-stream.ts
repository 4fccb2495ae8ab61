import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { BodyWriter } from "../edge/body-writer.ts";
import type { ReceivedCall } from "../rpc/routing.ts";
import type { Framing, StreamShape } from "../rpc/stream-shape.ts";
import { answerHeaders } from "./forwarded-request.ts";

/** What is kept of a message that has not come whole, so that a stream that breaks off ends between two of them. */
const MOST_HELD_BYTES = 64 * 1024;

/**
 * A stream of the home's on its way to its client.
 *
 * 1. Nothing of a message is given before all of it is there, unless it is large.
 * 2. What has come and was not given is bounded: while the client takes nothing, nothing is read of the home.
 */
export class RelayedStream {
  readonly #call: ReceivedCall;
  readonly #shape: StreamShape;
  readonly #stream: ClientHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #framing: Framing;
  /** Of a message whose end has not come. */
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Whether the client has been given the beginning of a message without its end. */
  #isTorn = false;
  /** Waits for the end of that message. */
  #whenWhole: (() => void) | undefined;
  #writer: BodyWriter | undefined;
  readonly #end = Promise.withResolvers<IteratorResult<Uint8Array>>();

  constructor(
    call: ReceivedCall,
    shape: StreamShape,
    stream: ClientHttp2Stream,
    headers: IncomingHttpHeaders,
  ) {
    this.#call = call;
    this.#shape = shape;
    this.#stream = stream;
    this.#headers = headers;
    this.#framing = shape.follow();
    call.reader.handlerBytes = () => this.#heldBytes + stream.readableLength;
  }

  /** Takes what came. */
  take(chunk: Buffer): void {
    const whole = this.#framing.wholeBytes(chunk);
    if (whole > 0) {
      this.#giveHeld();
      this.#give(whole === chunk.length ? chunk : chunk.subarray(0, whole));
      this.#isTorn = false;
    }
    if (whole > 0 && this.#whenWhole !== undefined) {
      this.#whenWhole();
      return;
    }
    if (whole < chunk.length) this.#hold(whole === 0 ? chunk : chunk.subarray(whole));
    if (this.#writer?.isFull === true && this.#whenWhole === undefined) this.#stream.pause(); // 2.
  }

  /** Calls `then` when the client has been given no half of a message: at once, or when the rest of it has come. */
  whenWhole(then: () => void): void {
    if (!this.#isTorn) {
      then();
      return;
    }
    this.#whenWhole = then;
    this.#stream.resume();
  }

  /** All of it came. Resolves when the client was given that. */
  async end(trailers: Readonly<Record<string, string>>): Promise<void> {
    this.#giveHeld();
    await this.#finish(trailers);
  }

  /** It broke off: the client is told why, or is cut off where it has half of a message. */
  async breakOff(error: Error): Promise<void> {
    if (this.#isTorn) {
      // The one code that means UNAVAILABLE to gRPC.
      this.#call.reader.cut(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    const { piece, trailers } = this.#shape.end(error);
    if (piece.length > 0) this.#give(piece);
    await this.#finish(trailers);
  }

  async #finish(trailers: Readonly<Record<string, string>>): Promise<void> {
    const { response } = this.#call;
    if (this.#writer === undefined) response.writeHead(this.#status, answerHeaders(this.#headers));
    this.#end.resolve({ done: true, value: undefined });
    await this.#writer?.written;
    response.addTrailers({ ...trailers });
    response.end();
  }

  get #status(): number {
    return Number(this.#headers[":status"]);
  }

  #hold(piece: Uint8Array): void {
    this.#held.push(piece);
    this.#heldBytes += piece.length;
    if (this.#heldBytes <= MOST_HELD_BYTES) return;
    this.#giveHeld();
    this.#isTorn = true;
  }

  #giveHeld(): void {
    if (this.#heldBytes === 0) return;
    for (const piece of this.#held.splice(0)) this.#give(piece);
    this.#heldBytes = 0;
  }

  #give(piece: Uint8Array): void {
    if (this.#writer === undefined) this.#start(piece);
    else this.#writer.push(piece);
  }

  #start(first: Uint8Array): void {
    const { response, reader } = this.#call;
    response.writeHead(this.#status, answerHeaders(this.#headers));
    const body = { next: () => this.#end.promise };
    const writer = new BodyWriter(response, body, { done: false, value: first });
    writer.onRoom = () => this.#stream.resume();
    this.#writer = writer;
    reader.reads(writer);
  }
}
