import { on } from "node:events";
import { Refusal } from "../errors.ts";
import type { HttpRequest } from "./http.ts";

/**
 * The body of a request whose messages are answered one by one: each piece as it comes, for its client waits for an answer
 * before it says more. It may be open for as long as the client likes, and holds what was not read yet.
 *
 * What comes is counted as it comes: who asks on and takes no answers is not read from, and would be kept without end.
 *
 * @param maxBytes - What all its messages may have together.
 * @throws Refusal TOO_MANY_REQUESTS where it has too much.
 */
export async function* streamedBody(
  request: HttpRequest,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void> {
  if (request.readableEnded || request.destroyed) return;
  const tooMuch = new AbortController();
  let bytes = 0;
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) tooMuch.abort();
  };
  // From then on whatever comes is thrown away.
  request.on("data", count);
  const chunks = on(request, "data", { close: ["end", "close"], signal: tooMuch.signal });
  try {
    for await (const [chunk] of chunks) yield chunk as Buffer;
  } catch (error) {
    if (!tooMuch.signal.aborted) throw error;
    throw new Refusal("TOO_MANY_REQUESTS", "the stream has asked too much: open another");
  } finally {
    request.off("data", count);
  }
}
