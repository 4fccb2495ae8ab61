import type { JSONWebKeySet } from "jose";
import { parseKeySet } from "./key-set.ts";

const MAX_BYTES = 256 * 1024;

/**
 * Fetches an issuer's keys. Follows no redirect: where keys come from is the operator's to say.
 *
 * @param withinMs - From the first byte that is sent to the last that comes.
 * @throws Error that says what went wrong.
 */
export async function fetchKeys(uri: string, withinMs: number): Promise<JSONWebKeySet> {
  const signal = AbortSignal.timeout(withinMs);
  const response = await fetch(uri, {
    redirect: "error",
    signal,
    headers: { accept: "application/json" },
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`answered with the status ${response.status}`);
  }
  return parseKeySet(await readBounded(response));
}

async function readBounded({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the rest.
  for await (const piece of body ?? []) {
    length += piece.length;
    if (length > MAX_BYTES) throw new Error(`is larger than ${MAX_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}
