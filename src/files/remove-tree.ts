import {
  chmodSync,
  closeSync,
  constants,
  type Dir,
  fstatSync,
  opendirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { DIRECTORY_FLAGS, hasOpenNames } from "./open-directory.ts";

/** Something that could not be removed. */
export interface LeftFile {
  readonly path: string;
  /** For the operator: why. */
  readonly reason: string;
}

/** What is left of a tree that was to be removed. */
export interface LeftFiles {
  /** Some of it. */
  readonly files: readonly LeftFile[];
  /** How many in all; what is in a directory that cannot be read is not counted. */
  readonly count: number;
}

/** So many are told by their paths. */
const MAX_TOLD = 5;
/** Directories below are moved up first: no path gets too long, and no more are open at once than `OPEN_AT_ONCE`. */
const MAX_DEPTH = 4;
/** The descriptors of one removal: two for each level from the top to the deepest, its holder's, and what is moved up. */
export const OPEN_AT_ONCE: number = 2 * (MAX_DEPTH + 1) + 3;
/** A directory that others still fill is emptied so many times. */
const MAX_PASSES = 8;
/** So many trees are removed by turns, whatever the number that wait. */
export const TREES_AT_ONCE = 4;

/** How long others may wait, and how long it takes at most, in milliseconds. */
export interface RemovalTimes {
  readonly sliceMs: number;
  readonly longestMs: number;
}

const TIMES: RemovalTimes = { sliceMs: 20, longestMs: 15 * 60_000 };

/**
 * Removes a file, or a directory with all that is in it, however deep, and says what is left. Yields when others should have
 * their turn.
 *
 * What is in it may be an enemy's and may change meanwhile: no link is followed, and what is mounted in it is left alone. On
 * systems without names for what is open it is removed by its path.
 */
export function removeTree(
  path: string,
  times: RemovalTimes = TIMES,
): Generator<void, LeftFiles, void> {
  return hasOpenNames ? new TreeRemoval(path, times).run() : removeByPath(path);
}

/** One removal, by descriptors. */
class TreeRemoval {
  readonly #path: string;
  readonly #times: RemovalTimes;
  readonly #begun = performance.now();
  readonly #prefix = `.removing-${process.pid}-${Math.random().toString(36).slice(2)}-`;
  #sliceBegun = this.#begun;
  #left: LeftFile[] = [];
  #count = 0;
  #removed = 0;
  #moved = 0;
  #mount = "";
  #top = -1;

  constructor(path: string, times: RemovalTimes) {
    this.#path = path;
    this.#times = times;
  }

  *run(): Generator<void, LeftFiles, void> {
    const parent = openOrCode(dirname(this.#path), DIRECTORY_FLAGS & ~constants.O_NOFOLLOW);
    if (parent === "ENOENT") return { files: [], count: 0 };
    if (typeof parent === "string") return told([{ path: this.#path, reason: parent }]);
    try {
      this.#mount = mountOf(parent);
      for (let pass = 1; ; pass++) {
        this.#left = [];
        this.#count = 0;
        const before = this.#removed;
        yield* this.#remove(parent, basename(this.#path), this.#path, 0);
        const isOver = this.#isLate || pass === MAX_PASSES || this.#removed === before;
        if (this.#count === 0 || isOver) return { files: this.#left, count: this.#count };
      }
    } finally {
      closeSync(parent);
    }
  }

  get #isLate(): boolean {
    return performance.now() - this.#begun > this.#times.longestMs;
  }

  /** Removes what a name in an open directory stands for. */
  *#remove(holder: number, name: string, path: string, depth: number): Generator<void> {
    yield* this.#pause();
    const place = placeIn(holder, name);
    const directory = openOrCode(place, DIRECTORY_FLAGS);
    if (typeof directory === "string") {
      if (directory === "ENOTDIR") this.#attempt(path, () => unlinkSync(place));
      else if (directory !== "ENOENT") this.#leave(path, directory);
      return;
    }
    try {
      if (mountOf(directory) !== this.#mount)
        return this.#leave(path, "something is mounted there");
      makeWritable(directory);
      if (depth > MAX_DEPTH) return this.#move(place, path);
      const before = this.#count;
      if (depth === 0) this.#top = directory;
      yield* this.#empty(directory, path, depth);
      if (depth === 0) yield* this.#removeMoved();
      if (this.#count === before) this.#attempt(path, () => rmdirSync(place));
    } finally {
      closeSync(directory);
    }
  }

  *#empty(directory: number, path: string, depth: number): Generator<void> {
    const entries = this.#list(directory, path);
    if (entries === undefined) return;
    try {
      for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
        if (this.#isLate) return this.#leave(path, "it took too long");
        const { name } = entry;
        if (entry.isFile() || entry.isSymbolicLink()) {
          this.#attempt(join(path, name), () => unlinkSync(placeIn(directory, name)));
          if (this.#sliceIsOver) yield* this.#pause();
        } else yield* this.#remove(directory, name, join(path, name), depth + 1);
      }
    } finally {
      entries.closeSync();
    }
  }

  #list(directory: number, path: string): Dir | undefined {
    try {
      return opendirSync(placeIn(directory, ""));
    } catch (error) {
      this.#leave(path, codeOf(error));
      return undefined;
    }
  }

  /** Moves a directory to the top, under a name that says which one it is. */
  #move(place: string, path: string): void {
    const name = `${this.#prefix}${this.#moved}`;
    const isMoved = this.#attempt(path, () => renameSync(place, placeIn(this.#top, name)));
    if (isMoved) this.#moved++;
  }

  *#removeMoved(): Generator<void> {
    for (let n = 0; n < this.#moved; n++) {
      const name = `${this.#prefix}${n}`;
      yield* this.#remove(this.#top, name, join(this.#path, name), 1);
    }
  }

  /** Answers whether it was done. What is gone already need not be. */
  #attempt(path: string, work: () => void): boolean {
    try {
      work();
      this.#removed++;
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code !== "ENOENT") this.#leave(path, code);
      return false;
    }
  }

  #leave(path: string, reason: string): void {
    this.#count++;
    if (this.#left.length < MAX_TOLD) this.#left.push({ path, reason });
  }

  get #sliceIsOver(): boolean {
    return performance.now() - this.#sliceBegun > this.#times.sliceMs;
  }

  *#pause(): Generator<void> {
    if (!this.#sliceIsOver) return;
    yield;
    this.#sliceBegun = performance.now();
  }
}

// biome-ignore lint/correctness/useYield: it has the other's shape, and cannot be interrupted.
function* removeByPath(path: string): Generator<void, LeftFiles, void> {
  try {
    rmSync(path, { recursive: true, force: true });
    return { files: [], count: 0 };
  } catch (error) {
    return told([{ path, reason: codeOf(error) }]);
  }
}

function told(files: readonly LeftFile[]): LeftFiles {
  return { files, count: files.length };
}

function placeIn(directory: number, name: string): string {
  return `/proc/self/fd/${directory}/${name}`;
}

function openOrCode(path: string, flags: number): number | string {
  try {
    return openSync(path, flags);
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

/** An agent can take away its own directories' permissions, and with them ours. By the descriptor: no link is followed. */
function makeWritable(directory: number): void {
  try {
    if ((fstatSync(directory).mode & 0o700) !== 0o700) chmodSync(placeIn(directory, ""), 0o700);
  } catch {
    // What cannot be removed then says why.
  }
}

/** Which mount something open is in; empty where the system does not say. */
export function mountOf(descriptor: number): string {
  try {
    return (
      /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"))?.[1] ?? ""
    );
  } catch {
    return "";
  }
}
