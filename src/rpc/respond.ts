import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { BodyWriter } from "../edge/body-writer.ts";
import type { HttpRequest, HttpResponse } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";
import { leaveUnread } from "../edge/unread-request.ts";

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
  await leaveUnread(request, response);
  response.writeHead(status, plain(header));
  if (source !== undefined && first !== undefined) {
    const writer = new BodyWriter(response, source, first);
    reader.reads(writer);
    await writer.written;
  }
  response.addTrailers(plain(trailer));
  response.end();
}

function plain(headers: Headers | undefined): Record<string, string> {
  return Object.fromEntries(headers ?? []);
}

/** Answers with a status alone. */
export async function respondEmpty(
  status: number,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  await leaveUnread(request, response);
  response.writeHead(status);
  response.end();
}
