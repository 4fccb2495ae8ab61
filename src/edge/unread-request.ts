import { constants, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { HttpRequest, HttpResponse } from "./http.ts";

/** A client that was answered before it had said all has so long to read that and to close, and may be silent for so long. */
const LINGER_MS = 30_000;
const LINGER_SILENCE_MS = 5000;
/** What it may still send meanwhile, which nobody keeps. */
const LINGER_BYTES = 64 * 1024 * 1024;

/**
 * Sees to what a request leaves unread. To be awaited before the headers of its answer are written.
 *
 * Whatever still comes of the body is thrown away. Over HTTP/2 the stream ends behind the answer (RFC 9113, 8.1); else its
 * client would go on. Over HTTP/1.1 the next request would stand behind a body that nobody reads: the answer says that
 * the connection closes, and it does (`closeBehind`).
 */
export async function leaveUnread(request: HttpRequest, response: HttpResponse): Promise<void> {
  request.resume();
  if ("stream" in request) {
    endBehindTrailers(request.stream);
    return;
  }
  if (request.complete) return;
  // The end may be there already, behind what the parser is at.
  await setImmediate();
  if (!request.complete) closeBehind(response, request.socket);
}

/**
 * Makes this answer of HTTP/1.1 the last of its connection. To be called before its headers are written.
 *
 * Answers what makes the server deaf to the connection already before: nothing of it is parsed any more, or kept.
 */
export function closeBehind(response: HttpResponse, socket: Socket): () => void {
  response.setHeader("connection", "close");
  let isDeaf = false;
  const deafen = () => {
    if (!isDeaf) discard(socket);
    isDeaf = true;
  };
  // Node ends a connection so behind its last answer, and what is unread then makes the kernel send a reset, which takes
  // the answer from a client that has not read it yet.
  socket.destroySoon = () => {
    if (socket.writableEnded || socket.destroyed) return;
    socket.end();
    deafen();
    linger(socket);
  };
  return deafen;
}

/** Throws away what comes, which must not be without end. */
function discard(socket: Socket): void {
  const parsers = socket.listeners("data") as ((chunk: Buffer) => void)[];
  let left = LINGER_BYTES;
  // A listener makes Node give the stream the bytes that went to the parser alone; then the parser gets none any more.
  socket.on("data", (chunk) => {
    left -= chunk.length;
    if (left < 0) socket.destroy();
  });
  for (const parser of parsers) socket.off("data", parser);
  socket.resume();
}

/** Waits for the peer to end, so that it can read what was sent to it, but not for ever. */
function linger(socket: Socket): void {
  socket.setTimeout(LINGER_SILENCE_MS, () => socket.destroy());
  const over = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(over));
  socket.once("end", () => socket.destroy());
}

function endBehindTrailers(stream: ServerHttp2Stream): void {
  // Trailers are sent when the stream wants them, which is after it has finished: earlier they would be lost.
  stream.once("wantTrailers", () => {
    void setImmediate().then(() => {
      if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  });
}
