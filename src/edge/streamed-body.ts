import { on } from "node:events";
import { Refusal } from "../errors.ts";
import type { HttpRequest } from "./http.ts";

/**
 * The body of a request whose messages are answered one by one: each piece as it comes, for its client waits for an answer
 * before it says more. It may be open for as long as the client likes, and holds what was not read yet.
 *
 * @param maxBytes - What all its messages may have together.
 * @throws Refusal TOO_MANY_REQUESTS where it has too much.
 */
export async function* streamedBody(
  request: HttpRequest,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void> {
  if (request.readableEnded || request.destroyed) return;
  let bytes = 0;
  for await (const [chunk] of on(request, "data", { close: ["end", "close"] })) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBytes) {
      throw new Refusal("TOO_MANY_REQUESTS", "the stream has asked too much: open another");
    }
    yield chunk as Buffer;
  }
}
