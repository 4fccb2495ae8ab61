import { closeSync, lstatSync, opendirSync, openSync, type Stats } from "node:fs";
import { join } from "node:path";
import { DIRECTORY_FLAGS, hasOpenNames } from "./open-directory.ts";
import { mountOf } from "./remove-tree.ts";

/** What a tree of files takes on the disk. */
export interface TreeSize {
  /** As `du` counts it: blocks, and a file with several names once. */
  readonly bytes: number;
  /** All of it was counted. False: it has more entries than are looked at, lies deeper, or could not be read. */
  readonly isWhole: boolean;
}

/** What is looked at of one tree. */
const MOST = { entries: 1_000_000, depth: 64, linked: 100_000 };
/** How long others may wait, in milliseconds. */
const SLICE_MS = 5;
const BLOCK_BYTES = 512;

/**
 * Measures a tree of files, and yields when others should have their turn.
 *
 * What is in it may be an enemy's and may change meanwhile: no link is followed, what is mounted in it is left alone, and what
 * is looked at is bounded. A tree that is not there takes nothing.
 */
export function* measureTree(path: string, sliceMs: number = SLICE_MS): Generator<void, TreeSize> {
  const measured = new Measured(sliceMs);
  const top = openOrUndefined(path);
  if (top === undefined) return { bytes: 0, isWhole: true };
  try {
    measured.mount = mountOf(top);
    yield* measured.directory(top, path, 0);
  } finally {
    closeSync(top);
  }
  return { bytes: measured.bytes, isWhole: measured.isWhole };
}

class Measured {
  bytes = 0;
  isWhole = true;
  mount = "";
  readonly #sliceMs: number;
  /** Files with several names that were counted. */
  readonly #linked = new Set<number>();
  #entries = 0;
  #sliceBegun = performance.now();

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  *directory(open: number, path: string, depth: number): Generator<void> {
    const place = placeOf(open, path);
    let entries: ReturnType<typeof opendirSync>;
    try {
      entries = opendirSync(place);
    } catch {
      this.isWhole = false;
      return;
    }
    try {
      for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
        if (++this.#entries > MOST.entries) {
          this.isWhole = false;
          return;
        }
        if (performance.now() - this.#sliceBegun > this.#sliceMs) {
          yield;
          this.#sliceBegun = performance.now();
        }
        const found = join(place, entry.name);
        const stats = statsOrUndefined(found);
        if (stats === undefined) continue; // It has gone meanwhile.
        this.#count(stats);
        if (stats.isDirectory()) yield* this.#below(found, join(path, entry.name), depth + 1);
      }
    } finally {
      entries.closeSync();
    }
  }

  *#below(place: string, path: string, depth: number): Generator<void> {
    const open = depth > MOST.depth ? undefined : openOrUndefined(place);
    if (open === undefined) {
      this.isWhole = false;
      return;
    }
    try {
      if (mountOf(open) === this.mount) yield* this.directory(open, path, depth);
    } finally {
      closeSync(open);
    }
  }

  #count(stats: Stats): void {
    const { blocks, nlink, ino } = stats;
    if (nlink > 1 && !stats.isDirectory() && this.#linked.size < MOST.linked) {
      if (this.#linked.has(ino)) return;
      this.#linked.add(ino);
    }
    this.bytes += blocks * BLOCK_BYTES;
  }
}

/** Where something open is, or, where the system has no names for that, where it was. */
function placeOf(open: number, path: string): string {
  return hasOpenNames ? `/proc/self/fd/${open}` : path;
}

function openOrUndefined(path: string): number | undefined {
  try {
    return openSync(path, DIRECTORY_FLAGS);
  } catch {
    return undefined;
  }
}

function statsOrUndefined(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}
