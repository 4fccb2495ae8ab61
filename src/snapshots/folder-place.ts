import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { SnapshotPlace } from "./snapshot-place.ts";

/** What is being written, and what a server that was killed left of it. */
const PARTIAL = ".partial";

/** Snapshots in a folder, such as one of a file system that several machines have. */
export class FolderPlace implements SnapshotPlace {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async write(key: string, bytes: Readable, signal: AbortSignal): Promise<void> {
    const path = join(this.#folder, key);
    const partial = `${path}.${randomUUID()}${PARTIAL}`;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      await pipeline(bytes, createWriteStream(partial, { flags: "wx", mode: 0o600, flush: true }), {
        signal,
      });
      await rename(partial, path);
      await using folder = await open(dirname(path));
      await folder.sync();
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  }

  async read(key: string, signal: AbortSignal): Promise<Readable> {
    const file = await open(join(this.#folder, key));
    return createReadStream("", { fd: file, signal });
  }

  async list(session: string): Promise<string[]> {
    const names = await readdir(join(this.#folder, session)).catch((error) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    return names.map((name) => `${session}/${name}`);
  }

  async remove(key: string): Promise<void> {
    const path = join(this.#folder, key);
    await rm(path, { force: true });
    // The session's last one.
    await rmdir(dirname(path)).catch(() => {});
  }
}
