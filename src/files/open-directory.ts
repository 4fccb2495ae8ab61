import { constants, existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
/** Linux's, which Node does not name: a place in the file system, which takes no permission to open. */
const O_PATH = 0o10000000;

/** Whether the system has names for what is open (Linux with /proc). */
export const hasOpenNames: boolean = process.platform === "linux" && existsSync("/proc/self/fd");

/** How a directory is opened that nothing may have been put in the place of. */
export const DIRECTORY_FLAGS: number =
  (hasOpenNames ? O_PATH : O_RDONLY) | O_DIRECTORY | O_NOFOLLOW;

/**
 * A directory that others can write to, held open: what is done in it is done there, whatever takes its place meanwhile.
 *
 * Where the system has no names for what is open it is looked at once, and then gone by its path: what takes its place
 * between is followed.
 *
 * Owned by whoever opened it, who disposes of it.
 */
export class OpenDirectory implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #path: string;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  /**
   * Opens a directory that stands in one which only the server's operator arranges: links on the way to that are followed,
   * one in the directory's own place is not.
   *
   * @throws NodeJS.ErrnoException ENOTDIR, or ELOOP, where a link or anything else but a directory is there.
   */
  static async open(path: string): Promise<OpenDirectory> {
    await using parent = await OpenDirectory.at(dirname(path));
    return await parent.openDirectory(basename(path));
  }

  /** Opens a directory that only the server's operator arranges, also by a link. */
  static async at(path: string): Promise<OpenDirectory> {
    return new OpenDirectory(await open(path, DIRECTORY_FLAGS & ~O_NOFOLLOW), path);
  }

  /** Names it, or what is in it, to the file system: for this process only, and as long as it is open. */
  place(name = ""): string {
    return join(hasOpenNames ? `/proc/self/fd/${this.#handle.fd}` : this.#path, name);
  }

  /** Opens a directory in it, which is no link. */
  async openDirectory(name: string): Promise<OpenDirectory> {
    const path = this.place(name);
    return new OpenDirectory(await open(path, DIRECTORY_FLAGS), join(this.#path, name));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }
}
