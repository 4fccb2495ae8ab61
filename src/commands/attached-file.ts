import { readFile, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { UsageError } from "./usage-error.ts";

/** By the extension of a file's name; whatever else it is, it is bytes. */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".txt": "text/plain",
  ".log": "text/plain",
  ".md": "text/markdown",
  ".csv": "text/csv",
  ".json": "application/json",
  ".yaml": "application/yaml",
  ".yml": "application/yaml",
};

/** No server takes more. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * A file as an attachment, under its own name.
 *
 * @throws UsageError where it cannot be read, is no file, or is larger than any server takes.
 */
export async function attachedFile(path: string) {
  const refuse = (why: string) =>
    new UsageError(`${JSON.stringify(path)} cannot be attached: ${why}`);
  try {
    const found = await stat(path);
    // A device or a pipe may never end.
    if (!found.isFile()) throw refuse("it is no file");
    if (found.size > MAX_BYTES) throw refuse(`it has more than ${MAX_BYTES} bytes`);
    const data = new Uint8Array(await readFile(path));
    const mediaType = MEDIA_TYPES[extname(path).toLowerCase()] ?? "application/octet-stream";
    return { name: basename(path), mediaType, data };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw refuse(`it cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
