import { statfsSync } from "node:fs";
import { open, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "./log.ts";

const NAME = "reserve";
/** Written at a time. */
const PIECE_BYTES = 1024 * 1024;
/** How often it is looked whether there is room for it again. */
const LOOK_MS = 60_000;
/** So many times its size must be free for it to be made: it is not to fill the disk itself. */
const ROOM = 2;

/**
 * Room on the disk of the data directory that is kept for when the disk is full: a file that is removed then, so that the
 * turns can be recorded and run that are to make room. It is made again when there is room for it.
 */
export class DiskReserve {
  readonly #directory: string;
  readonly #bytes: number;
  readonly #log: Log;
  #isThere = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param bytes - 0: nothing is kept. */
  constructor(directory: string, bytes: number, log: Log) {
    this.#directory = directory;
    this.#bytes = bytes;
    this.#log = log;
  }

  /** What is kept now, in bytes. */
  get heldBytes(): number {
    return this.#isThere ? this.#bytes : 0;
  }

  /** What is to be kept, in bytes. */
  get wantedBytes(): number {
    return this.#bytes;
  }

  /** Whose disk it is on. */
  get directory(): string {
    return this.#directory;
  }

  /** The disk is full, and there is room yet that the next turn makes. */
  get isNeeded(): boolean {
    return this.#isThere && freeBytes(this.#directory) < this.#bytes;
  }

  get #path(): string {
    return join(this.#directory, NAME);
  }

  /** Makes it where there is room. Never rejects; what is in the way is logged. */
  async keep(): Promise<void> {
    if (this.#bytes === 0) return void (await rm(this.#path, { force: true }).catch(() => {}));
    try {
      this.#isThere = await this.#make();
    } catch (error) {
      await rm(`${this.#path}.new`, { force: true }).catch(() => {});
      this.#log.warn("no room could be reserved on the disk", { path: this.#path, error });
      return;
    }
    if (this.#isThere) return;
    const { message, mend } = NO_ROOM;
    this.#log.warn(message, { path: this.#path, bytes: this.#bytes, mend });
    this.#lookAgain();
  }

  /**
   * Gives it up where the disk is full.
   *
   * @returns Whether there is room now that was not there before.
   */
  async release(): Promise<boolean> {
    if (!this.isNeeded) return false;
    this.#isThere = false;
    try {
      await rm(this.#path);
    } catch (error) {
      this.#log.error("the reserve cannot be given up", { path: this.#path, error });
      return false;
    }
    const mend = "make room on the disk now: the next time there is no reserve";
    this.#log.error("the disk is full, and the reserve was given up for the turns that make room", {
      ...{ path: this.#path, bytes: this.#bytes, mend },
    });
    this.#lookAgain();
    return true;
  }

  async #make(): Promise<boolean> {
    const there = await stat(this.#path).catch(() => undefined);
    if (there?.size === this.#bytes && there.blocks > 0) return true;
    await rm(this.#path, { force: true });
    const { bavail, bsize } = await statfs(this.#directory);
    if (bavail * bsize < ROOM * this.#bytes) return false;
    // Under another name until it is whole: a server that ends meanwhile leaves none that is taken for it.
    const path = `${this.#path}.new`;
    {
      await using file = await open(path, "w", 0o600);
      // No zeros, which some file systems keep no room for.
      const piece = Buffer.alloc(PIECE_BYTES, 0xa5);
      for (let left = this.#bytes; left > 0; left -= piece.length) {
        await file.write(piece, 0, Math.min(left, piece.length));
      }
      await file.sync();
    }
    await rename(path, this.#path);
    return true;
  }

  #lookAgain(): void {
    this.#timer ??= setInterval(() => void this.#look(), LOOK_MS).unref();
  }

  async #look(): Promise<void> {
    try {
      this.#isThere = await this.#make();
    } catch {
      // There is no room, then.
    }
    if (!this.#isThere) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#log.info("room is reserved on the disk again", { path: this.#path, bytes: this.#bytes });
  }
}

const NO_ROOM = {
  message: "there is no room on the disk for a reserve",
  mend: "make room, or set BREAKGLASS_RESERVE_BYTES lower",
};

function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return 0;
  }
}
