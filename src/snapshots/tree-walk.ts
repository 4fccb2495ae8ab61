import { isUtf8 } from "node:buffer";
import { type BigIntStats, closeSync, lstatSync, opendirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DIRECTORY_FLAGS, hasOpenNames } from "../files/open-directory.ts";
import { mountOf } from "../files/remove-tree.ts";

/** What a snapshot has at most: a tree beyond it is no workspace that somebody works in. */
const MOST = { entries: 1_000_000, depth: 100 };
const TOLD = 5;

/** Something in a tree, while it is walked. */
export interface FoundEntry {
  /** From the top of the tree, without a slash before or behind. */
  readonly path: string;
  /** What names it to the file system, as long as the walk is at it. */
  readonly place: string;
  readonly stats: BigIntStats;
}

/** What was left out of a snapshot. */
export interface LeftOut {
  readonly count: number;
  /** Some of it: each a path and why. */
  readonly some: readonly string[];
}

/** Counts what is left out, and keeps some of it to be told. */
export class LeftOutCount implements LeftOut {
  count = 0;
  readonly some: string[] = [];

  add(path: string, why: string): void {
    this.count++;
    if (this.some.length < TOLD) this.some.push(`${path}: ${why}`);
  }
}

/**
 * Walks a tree, a directory before what is in it.
 *
 * What is in it may be an enemy's and may change meanwhile: no link is followed, not in a directory's place either, what is
 * mounted in it is left alone, and what is looked at is bounded.
 *
 * @throws NodeJS.ErrnoException where the top is no directory.
 */
export function* walkTree(top: string, leftOut: LeftOutCount): Generator<FoundEntry, void> {
  const open = openSync(top, DIRECTORY_FLAGS);
  const walk = { mount: mountOf(open), entries: 0, leftOut };
  try {
    yield* walkOpen(open, top, "", 0, walk);
  } finally {
    closeSync(open);
  }
}

interface Walk {
  readonly mount: string;
  readonly leftOut: LeftOutCount;
  entries: number;
}

function* walkOpen(
  open: number,
  shown: string,
  path: string,
  depth: number,
  walk: Walk,
): Generator<FoundEntry, void> {
  const place = hasOpenNames ? `/proc/self/fd/${open}` : shown;
  for (const name of namesIn(place, path, walk)) {
    if (++walk.entries > MOST.entries) throw new Error(`it has more than ${MOST.entries} files`);
    const inner = join(path, name);
    const found = join(place, name);
    const stats = lstatSync(found, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) continue; // It has gone meanwhile.
    if (!stats.isDirectory()) {
      yield { path: inner, place: found, stats };
    } else if (depth >= MOST.depth) {
      walk.leftOut.add(inner, "it lies too deep");
    } else {
      yield* walkDirectory({ path: inner, place: found, stats }, join(shown, name), depth, walk);
    }
  }
}

function* walkDirectory(
  entry: FoundEntry,
  shown: string,
  depth: number,
  walk: Walk,
): Generator<FoundEntry, void> {
  let open: number;
  try {
    open = openSync(entry.place, DIRECTORY_FLAGS);
  } catch (error) {
    walk.leftOut.add(entry.path, String((error as NodeJS.ErrnoException).code));
    return;
  }
  try {
    if (mountOf(open) !== walk.mount) {
      walk.leftOut.add(entry.path, "something is mounted there");
      return;
    }
    yield entry;
    yield* walkOpen(open, shown, entry.path, depth + 1, walk);
  } finally {
    closeSync(open);
  }
}

/** The names in a directory that can be kept: those that are text. */
function* namesIn(place: string, path: string, walk: Walk): Generator<string> {
  let entries: ReturnType<typeof opendirSync>;
  try {
    entries = opendirSync(place, { encoding: "buffer" as BufferEncoding });
  } catch (error) {
    walk.leftOut.add(path || ".", String((error as NodeJS.ErrnoException).code));
    return;
  }
  try {
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
      const name = entry.name as unknown as Buffer;
      if (isUtf8(name)) yield name.toString();
      else walk.leftOut.add(join(path, name.toString("latin1")), "its name is no UTF-8");
    }
  } finally {
    entries.closeSync();
  }
}
