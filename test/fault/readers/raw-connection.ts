import { type ClientRequest, request as requestHttp1 } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
} from "node:http2";
import { connect, type Socket } from "node:net";
import { ATTACH_PATH, attachBody } from "./attach-request.ts";
import type { Way } from "./ways.ts";

/** How a connection is cut: at once and with RST, by closing it, or by saying that no more will be sent and then closing it. */
export type Cut = "reset" | "destroy" | "end";

/** What becomes of one stream. */
export interface RawReader {
  /** A part of the body, wherever the network cut it. */
  body(bytes: Buffer): void;
  /** The header or the trailer that tells a gRPC stream's status. */
  grpcStatus(status: string): void;
  /** Nothing more comes; called once. `broken`: how, where the body did not come to its end, as HTTP has it. */
  over(broken: string | undefined): void;
}

/** A stream that was asked for. */
export interface RawStream {
  /** Takes nothing of the body any more. */
  pause(): void;
  /** Gives the stream up; over HTTP/2 only this one, over HTTP/1.1 the connection with it. */
  cancel(): void;
}

const WINDOW_BYTES = 2 ** 30;

/** A connection whose socket can be cut in any way. One of HTTP/1.1 takes one stream in its life. */
export class RawConnection {
  readonly socket: Socket;
  /** Whether `cut` was called. */
  wasCut = false;
  readonly #session: ClientHttp2Session | undefined;
  readonly #url: string;

  /** @param options.wideWindow - Streams that are not read do not hold up the others of an HTTP/2 connection. */
  constructor(url: string, http: 1 | 2, { wideWindow = false } = {}) {
    this.#url = url;
    const { hostname, port } = new URL(url);
    this.socket = connect({ port: Number(port), host: hostname, noDelay: true });
    this.socket.on("error", () => {});
    if (http === 1) return;
    const session = connectHttp2(url, { createConnection: () => this.socket });
    session.on("error", () => {});
    if (wideWindow) session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
    this.#session = session;
  }

  /** Whether streams can still be asked for. */
  get isOpen(): boolean {
    return (
      !this.wasCut && !this.socket.destroyed && !(this.#session?.closed || this.#session?.destroyed)
    );
  }

  attach(way: Way, turnId: string, after: number, reader: RawReader): RawStream {
    const body = attachBody(turnId, after, way.isJson);
    return this.#session === undefined
      ? this.#attachHttp1(way, body, reader)
      : attachHttp2(this.#session, way, body, reader);
  }

  cut(how: Cut): void {
    this.wasCut = true;
    if (how === "reset") this.socket.resetAndDestroy();
    else if (how === "destroy") this.socket.destroy();
    else this.socket.end(() => this.socket.destroy());
  }

  #attachHttp1(way: Way, body: Buffer, reader: RawReader): RawStream {
    const over = once(reader);
    const asked: ClientRequest = requestHttp1(`${this.#url}${ATTACH_PATH}`, {
      method: "POST",
      headers: { "content-type": way.contentType },
      createConnection: () => this.socket,
    });
    asked.on("error", (error) => over(error.message)).on("close", () => over("it was closed"));
    let paused = false;
    asked.on("response", (response) => {
      response.on("error", (error) => over(error.message));
      response.on("close", () => over(response.complete ? undefined : "it was closed early"));
      if (paused) response.pause();
      else response.on("data", reader.body);
    });
    asked.end(body);
    return {
      pause() {
        paused = true;
        asked.socket?.pause();
      },
      cancel: () => void asked.destroy(),
    };
  }
}

function attachHttp2(
  session: ClientHttp2Session,
  way: Way,
  body: Buffer,
  reader: RawReader,
): RawStream {
  const over = once(reader);
  let stream: ClientHttp2Stream;
  try {
    stream = session.request({
      ":method": "POST",
      ":path": ATTACH_PATH,
      "content-type": way.contentType,
      te: "trailers",
    });
  } catch {
    // The connection was cut before.
    queueMicrotask(() => over("its connection is closed"));
    return { pause() {}, cancel() {} };
  }
  const status = (headers: Record<string, unknown>) => {
    if (typeof headers["grpc-status"] === "string") reader.grpcStatus(headers["grpc-status"]);
  };
  let ended = false;
  stream.on("error", (error) => over(error.message));
  stream.on("response", status).on("trailers", status);
  stream.on("data", reader.body);
  stream.on("end", () => {
    ended = !stream.aborted;
  });
  stream.on("close", () => {
    const { rstCode } = stream;
    const isWhole = ended && rstCode === constants.NGHTTP2_NO_ERROR;
    over(isWhole ? undefined : `it was closed with code ${rstCode}`);
  });
  stream.end(body);
  return {
    pause: () => void stream.pause(),
    cancel: () => stream.close(constants.NGHTTP2_CANCEL),
  };
}

function once(reader: RawReader): (broken: string | undefined) => void {
  let isOver = false;
  return (broken) => {
    if (isOver) return;
    isOver = true;
    reader.over(broken);
  };
}
