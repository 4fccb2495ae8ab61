import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
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

/** No server takes more, of all files of a prompt together. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_FILES = 20;
const PIECE_BYTES = 1024 * 1024;

/** What goes with a prompt, as a request has it. */
export interface AttachedFile {
  readonly name: string;
  readonly mediaType: string;
  readonly data: Uint8Array<ArrayBuffer>;
}

/**
 * Files as attachments, in their order, each under its own name. No more is read than a server takes.
 *
 * @throws UsageError, which names the file, where one cannot be read, is no file, or makes them more than a server takes.
 */
export async function attachedFiles(paths: readonly string[]): Promise<AttachedFile[]> {
  if (paths.length > MAX_FILES) {
    throw new UsageError(`${paths.length} files cannot be attached: a server takes ${MAX_FILES}`);
  }
  const files: AttachedFile[] = [];
  let leftBytes = MAX_BYTES;
  for (const path of paths) {
    const file = await attachedFile(path, leftBytes);
    leftBytes -= file.data.length;
    files.push(file);
  }
  return files;
}

/** @param leftBytes - How many the files before it have left. */
async function attachedFile(path: string, leftBytes: number): Promise<AttachedFile> {
  const refuse = (why: string) =>
    new UsageError(`${JSON.stringify(path)} cannot be attached: ${why}`);
  try {
    // A device or a pipe may never end, and opening one may do something: it is looked at first.
    if (!(await stat(path)).isFile()) throw refuse("it is no file");
    // Meanwhile another may have taken its place: a pipe is opened without waiting for whoever writes into it.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw refuse("it is no file");
    const data = found.size > leftBytes ? undefined : await readAtMost(file, leftBytes);
    if (data === undefined) throw refuse(tooLarge(leftBytes));
    const mediaType = MEDIA_TYPES[extname(path).toLowerCase()] ?? "application/octet-stream";
    return { name: basename(path), mediaType, data };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw refuse(`it cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function tooLarge(leftBytes: number): string {
  if (leftBytes === MAX_BYTES) return `it has more than ${MAX_BYTES} bytes`;
  return `with the files before it, it makes more than ${MAX_BYTES} bytes`;
}

/** A file to its end, whatever its size was said to be: it may grow. Undefined: it has more, of which at
 * most a piece is read. */
async function readAtMost(
  file: FileHandle,
  most: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const pieces: Buffer[] = [];
  for (let length = 0; ; ) {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const { bytesRead } = await file.read(piece, 0, piece.length);
    if (bytesRead === 0) return new Uint8Array(Buffer.concat(pieces, length));
    length += bytesRead;
    if (length > most) return undefined;
    pieces.push(piece.subarray(0, bytesRead));
  }
}
