import { createHash } from "node:crypto";
import { constants, type FSWatcher, watch } from "node:fs";
import { lstat, open, readlink, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** How often it is looked without being told: not every file system tells. */
const POLL_MS = 5000;
/** From the first that is heard of a change to the look at it: who writes a file has written all of it by then. */
const SETTLE_MS = 200;
/** What is larger is no file of a setting: that it is there is all that is known of it. */
const MAX_BYTES = 1024 * 1024;
/** As many links as Linux follows. */
const MAX_LINKS = 40;

const { O_NOCTTY, O_NONBLOCK, O_RDONLY } = constants;

/**
 * Tells when files change: written anew, replaced, or behind a link that was switched, in a directory that came later.
 *
 * 1. What counts is what a file holds, and who may do what with it: what leaves that as it was is not told.
 * 2. The directories on the way are watched, and those of links on it; each look watches those that there are now.
 * 3. Where watching fails it is looked every `pollMs` all the same. A file system that does not answer holds up nothing but
 *    the looks.
 */
export class FileWatch {
  readonly #paths: () => readonly string[];
  readonly #changed: () => void;
  readonly #poll: NodeJS.Timeout;
  readonly #watchers = new Map<string, FSWatcher>();
  #settling: NodeJS.Timeout | undefined;
  #last: string | undefined;
  #looking: Promise<void> | undefined;
  #looksAgain = false;
  #isStopped = false;

  /**
   * Begins to watch.
   *
   * @param paths - The files of the moment, absolute.
   * @param changed - Is called once for each change that was seen.
   */
  constructor(paths: () => readonly string[], changed: () => void, pollMs = POLL_MS) {
    this.#paths = paths;
    this.#changed = changed;
    this.#poll = setInterval(() => this.#look(), pollMs).unref();
    this.#look();
  }

  /** Watches no more. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#poll);
    clearTimeout(this.#settling);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  readonly #heard = (): void => {
    if (this.#isStopped || this.#settling !== undefined) return;
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      this.#look();
    }, SETTLE_MS).unref();
  };

  /** Looks, once more where it is asked to while it does. */
  #look(): void {
    if (this.#looking !== undefined) {
      this.#looksAgain = true;
      return;
    }
    this.#looking = this.#lookOnce().finally(() => {
      this.#looking = undefined;
      if (this.#looksAgain && !this.#isStopped) {
        this.#looksAgain = false;
        this.#heard();
      }
    });
  }

  async #lookOnce(): Promise<void> {
    const paths = this.#paths();
    // Before what they hold is read: what changes behind that is heard of.
    await this.#watch(paths);
    const seen = (await Promise.all(paths.map(fingerprint))).join("\n");
    if (this.#isStopped) return;
    const isChanged = this.#last !== undefined && this.#last !== seen; // 1.
    this.#last = seen;
    if (isChanged) this.#changed();
  }

  // 2.
  async #watch(paths: readonly string[]): Promise<void> {
    const found = new Map<string, string>();
    for (const path of paths) {
      for (const directory of await directoriesTo(path)) {
        const key = await identityOf(directory);
        if (key !== undefined) found.set(`${key} ${directory}`, directory);
      }
    }
    if (this.#isStopped) return;
    for (const [key, watcher] of this.#watchers) {
      if (found.has(key)) continue;
      watcher.close();
      this.#watchers.delete(key);
    }
    for (const [key, directory] of found) if (!this.#watchers.has(key)) this.#open(key, directory);
  }

  #open(key: string, directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, this.#heard);
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(key);
      });
      this.#watchers.set(key, watcher);
    } catch {
      // 3.
    }
  }
}

/** What a file holds and who may do what with it, or why that is not known. */
async function fingerprint(path: string): Promise<string> {
  try {
    const stats = await stat(path);
    const meta = `${stats.mode} ${stats.uid}`;
    // Opening another kind of file could wait for somebody, or do something.
    if (!stats.isFile() || stats.size > MAX_BYTES) return meta;
    const file = await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES + 1));
      const hash = createHash("sha256").update(buffer.subarray(0, bytesRead));
      return `${meta} ${hash.digest("base64")}`;
    } finally {
      await file.close();
    }
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/** The directories whose entries decide what a path leads to: the last, and each that has a link on the way, or a gap. */
async function directoriesTo(path: string): Promise<Set<string>> {
  const found = new Set<string>();
  const names = path.split("/").filter((name) => name !== "");
  let at = "/";
  for (let links = 0; names.length > 0; ) {
    const next = join(at, names.shift()!);
    const stats = await lstat(next).catch(() => undefined);
    if (stats === undefined || names.length === 0) found.add(at);
    if (stats === undefined) break;
    if (!stats.isSymbolicLink()) {
      at = next;
      continue;
    }
    found.add(at);
    const target = await readlink(next).catch(() => "");
    if (target === "" || ++links > MAX_LINKS) break;
    names.unshift(
      ...resolve(dirname(next), target)
        .split("/")
        .filter((name) => name !== ""),
    );
    at = "/";
  }
  return found;
}

async function identityOf(directory: string): Promise<string | undefined> {
  const stats = await stat(directory).catch(() => undefined);
  return stats?.isDirectory() ? `${stats.dev}:${stats.ino}` : undefined;
}
