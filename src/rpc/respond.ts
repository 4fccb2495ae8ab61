import { constants, type ServerHttp2Stream } from "node:http2";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { BodyWriter } from "../edge/body-writer.ts";
import type { HttpRequest, HttpResponse } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";

/**
 * Writes a response of the framework's. Resolves when the connection was given all of it, or is gone.
 *
 * Takes the place of connect-node's own writer, which makes a write of each event and, where a client vanishes while one
 * is blocked, waits for ever.
 */
export async function respond(
  { status, header, body, trailer }: UniversalServerResponse,
  request: HttpRequest,
  response: HttpResponse,
  reader: Reader,
): Promise<void> {
  const source = body?.[Symbol.asyncIterator]();
  const first = await source?.next();
  response.writeHead(status, plain(header));
  if (source !== undefined && first !== undefined) {
    const writer = new BodyWriter(response, source, first);
    reader.reads(writer);
    await writer.written;
  }
  response.addTrailers(plain(trailer));
  if ("stream" in request) endUnread(request.stream);
  response.end();
}

function plain(headers: Headers | undefined): Record<string, string> {
  return Object.fromEntries(headers ?? []);
}

/** A request that was answered without being read to its end is over (RFC 9113, 8.1); else its client would go on. */
function endUnread(stream: ServerHttp2Stream): void {
  // Trailers are sent when the stream wants them, which is after it has finished: earlier they would be lost.
  stream.once("wantTrailers", () => {
    setImmediate(() => {
      if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  });
}
