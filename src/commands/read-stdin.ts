import { fstatSync } from "node:fs";
import { UsageError } from "./usage-error.ts";

const STDIN = 0;

/**
 * All of stdin, to the byte.
 *
 * @param what - What it is, for the error.
 * @param maxBytes - No server takes more: reading stops there.
 * @throws UsageError where it is longer, cannot be read, or is no UTF-8.
 */
export async function readStdin(what: string, maxBytes: number): Promise<string> {
  const bytes = await read(what, maxBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`the ${what} on stdin is not UTF-8`);
  }
}

async function read(what: string, maxBytes: number): Promise<Buffer> {
  const refuse = (code: string | undefined) =>
    new UsageError(`the ${what} on stdin cannot be read (${code})`);
  // Node takes a directory for a file that is empty.
  if (fstatSync(STDIN).isDirectory()) throw refuse("EISDIR");
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of process.stdin as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > maxBytes) break;
      pieces.push(piece);
    }
  } catch (error) {
    throw refuse((error as NodeJS.ErrnoException).code);
  }
  if (length <= maxBytes) return Buffer.concat(pieces);
  throw new UsageError(
    `the ${what} on stdin has more than the ${maxBytes} bytes that a server takes`,
  );
}
