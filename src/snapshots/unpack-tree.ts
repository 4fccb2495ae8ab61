import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import type { Readable } from "node:stream";
import { type Extract, extract } from "tar-stream";
import { DIRECTORY_FLAGS, hasOpenNames } from "../files/open-directory.ts";
import type { Owner } from "../files/owner.ts";
import { NO_MODE } from "./pack-tree.ts";
import { type LeftOut, LeftOutCount } from "./tree-walk.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const MOST_ENTRIES = 1_000_000;
const MOST_DEPTH = 101;
const NAME_BYTES = 255;
/** Neither is kept: whose file it is may be another user now. */
const SET_IDS = 0o6000;

/** An entry of an archive, and what is in it. */
type Entry = Extract extends AsyncIterable<infer E> ? E : never;

/** What is unpacked has at most. */
export interface UnpackOptions {
  readonly maxBytes: number;
  /** Whose it is to be. Undefined: the process's own. */
  readonly owner?: Owner | undefined;
}

/**
 * Unpacks an archive into a directory that is empty and that nobody else can write to meanwhile. Each entry's directory is
 * opened step by step, and no step is a link: nothing lands outside, whatever the archive says. What says that it would is
 * left out, and so is all that is no file, directory or link.
 *
 * @throws Error where it is no archive, ends too early, or has more than it may.
 */
export async function unpackTree(
  bytes: Readable,
  top: string,
  { maxBytes, owner }: UnpackOptions,
): Promise<LeftOut> {
  const leftOut = new LeftOutCount();
  const archive = extract();
  bytes.on("error", (error) => archive.destroy(error));
  bytes.pipe(archive as unknown as NodeJS.WritableStream);
  const unpacker = new Unpacker(top, maxBytes, owner, leftOut);
  try {
    for await (const entry of archive) {
      await unpacker.take(entry);
      entry.resume();
    }
    unpacker.finish();
  } finally {
    bytes.destroy();
  }
  return leftOut;
}

interface Placed {
  readonly path: string;
  readonly mode: number;
  readonly seconds: number;
}

class Unpacker {
  readonly #top: string;
  readonly #owner: Owner | undefined;
  readonly #leftOut: LeftOutCount;
  /** Their modes and times come last: what is put into them changes the one, and may not be allowed by the other. */
  readonly #directories: Placed[] = [];
  #bytesLeft: number;
  #entries = 0;

  constructor(top: string, maxBytes: number, owner: Owner | undefined, leftOut: LeftOutCount) {
    this.#top = top;
    this.#bytesLeft = maxBytes;
    this.#owner = owner;
    this.#leftOut = leftOut;
  }

  async take(entry: Entry): Promise<void> {
    const { name, size = 0, type } = entry.header;
    this.#bytesLeft -= size ?? 0;
    if (++this.#entries > MOST_ENTRIES || this.#bytesLeft < 0) {
      throw new Error("the snapshot has more in it than it may have");
    }
    const steps = stepsOf(name);
    if (steps === undefined) return this.#leftOut.add(name, "it is not within the workspace");
    try {
      await this.#place(entry, steps, placedOf(entry));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Of an archive that is not ours; what the disk does not take is another matter.
      if (!["ELOOP", "ENOTDIR", "EEXIST", "ENOENT", "EISDIR", "EPERM"].includes(code ?? "")) {
        throw error;
      }
      this.#leftOut.add(name, `${type}: ${code}`);
    }
  }

  finish(): void {
    for (const { path, mode, seconds } of this.#directories.reverse()) {
      const steps = stepsOf(path)!;
      this.#within(steps, (place) => {
        const open = openSync(place, DIRECTORY_FLAGS);
        try {
          const itself = hasOpenNames ? `/proc/self/fd/${open}` : place;
          utimesSync(itself, seconds, seconds);
          chmodSync(itself, mode);
        } finally {
          closeSync(open);
        }
      });
    }
  }

  async #place(entry: Entry, steps: readonly string[], placed: Placed): Promise<void> {
    const { type, linkname } = entry.header;
    if (type === "file" || type === "contiguous-file") {
      const open = this.#within(steps, (place) =>
        openSync(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600),
      );
      try {
        for await (const piece of entry) writeAll(open, piece as Uint8Array);
        if (this.#owner !== undefined) fchownSync(open, this.#owner.uid, this.#owner.gid);
        fchmodSync(open, placed.mode);
        futimesSync(open, placed.seconds, placed.seconds);
      } finally {
        closeSync(open);
      }
    } else if (type === "directory") {
      this.#within(steps, (place) => this.#makeDirectory(place));
      this.#directories.push(placed);
    } else if (type === "symlink") {
      this.#within(steps, (place) => {
        symlinkSync(linkname ?? "", place);
        if (this.#owner !== undefined) lchownSync(place, this.#owner.uid, this.#owner.gid);
        lutimesSync(place, placed.seconds, placed.seconds);
      });
    } else if (type === "link") {
      this.#link(steps, placed.path, linkname ?? "");
    } else {
      this.#leftOut.add(placed.path, `it is a ${type}`);
    }
  }

  /** To a file that was unpacked before. */
  #link(steps: readonly string[], path: string, linkname: string): void {
    const target = stepsOf(linkname);
    const isLinked =
      target !== undefined &&
      this.#within(target, (from) => {
        if (!lstatSync(from).isFile()) return false;
        this.#within(steps, (place) => linkSync(from, place));
        return true;
      });
    if (!isLinked) this.#leftOut.add(path, "it links to no file of the workspace");
  }

  /** Does something to the last step of a path, in whose directory it is, which is made where it is missing. */
  #within<T>(steps: readonly string[], work: (place: string) => T): T {
    let open = openSync(this.#top, DIRECTORY_FLAGS);
    let shown = this.#top;
    try {
      for (const step of steps.slice(0, -1)) {
        const place = placeIn(open, shown, step);
        if (lstatSync(place, { throwIfNoEntry: false }) === undefined) this.#makeDirectory(place);
        const next = openSync(place, DIRECTORY_FLAGS);
        closeSync(open);
        open = next;
        shown = `${shown}/${step}`;
      }
      return work(placeIn(open, shown, steps.at(-1)!));
    } finally {
      closeSync(open);
    }
  }

  #makeDirectory(place: string): void {
    mkdirSync(place, { mode: 0o700 });
    if (this.#owner !== undefined) chownSync(place, this.#owner.uid, this.#owner.gid);
  }
}

/** The names of a path, from the top. Undefined: it leads elsewhere. */
function stepsOf(path: string): string[] | undefined {
  const steps = path.replace(/\/$/, "").split("/");
  const isWithin = steps.every(
    (step) =>
      !["", ".", ".."].includes(step) &&
      !step.includes("\0") &&
      Buffer.byteLength(step) <= NAME_BYTES,
  );
  return isWithin && steps.length <= MOST_DEPTH ? steps : undefined;
}

function placedOf({ header }: Entry): Placed {
  const { pax = {} } = header as { pax?: Record<string, string> | null };
  const exact = Number(pax?.mtime);
  const seconds = Number.isFinite(exact) ? exact : (header.mtime?.getTime() ?? 0) / 1000;
  const mode = pax?.[NO_MODE] === undefined ? (header.mode ?? 0o600) : 0;
  return { path: header.name, mode: mode & 0o7777 & ~SET_IDS, seconds };
}

function placeIn(open: number, shown: string, name: string): string {
  return hasOpenNames ? `/proc/self/fd/${open}/${name}` : `${shown}/${name}`;
}

function writeAll(open: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(open, bytes, at);
}
