import { buffer } from "node:stream/consumers";
import { UsageError } from "./usage-error.ts";

/**
 * All of stdin, to the byte.
 *
 * @param what - What it is, for the error.
 * @throws UsageError where it is no UTF-8.
 */
export async function readStdin(what: string): Promise<string> {
  const bytes = await buffer(process.stdin);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`the ${what} on stdin is not UTF-8`);
  }
}
