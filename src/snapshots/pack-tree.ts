import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { pack as createPack, type Header, type Pack } from "tar-stream";
import { type FoundEntry, type LeftOut, LeftOutCount, walkTree } from "./tree-walk.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const PIECE_BYTES = 256 * 1024;
/** Files with several names are told apart; beyond so many each name is a file of its own. */
const MOST_LINKED = 100_000;
const NANOS = 1_000_000_000n;
/** In a file's pax header: nobody may do anything with it. */
export const NO_MODE = "BREAKGLASS.no-mode";

/** A tree is larger than a snapshot may be. */
export class TooLargeError extends Error {
  override readonly name = "TooLargeError";
}

/** What a tree is like, without reading its files. */
export interface SurveyedTree {
  /** Of its files. */
  readonly bytes: number;
  /** Another one where anything in it was changed. */
  readonly fingerprint: string;
}

/** Looks at a tree. @throws TooLargeError where its files have more than so many bytes. */
export function surveyTree(top: string, maxBytes: number): SurveyedTree {
  const hash = createHash("sha256");
  let bytes = 0;
  for (const { path, stats } of walkTree(top, new LeftOutCount())) {
    if (stats.isFile()) bytes += Number(stats.size);
    if (bytes > maxBytes) throw new TooLargeError(`its files have more than ${maxBytes} bytes`);
    const { ino, mode, size, mtimeNs, ctimeNs } = stats;
    hash.update(
      `${path}\0${ino} ${mode} ${stats.isDirectory() ? 0 : size} ${mtimeNs} ${ctimeNs}\0`,
    );
  }
  return { bytes, fingerprint: hash.digest("base64") };
}

/** A tree as it is packed. */
export interface PackedTree {
  /** In the format of tar (pax). */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Whole when all bytes were read. */
  readonly leftOut: LeftOut;
}

/**
 * Packs a tree: files, directories, symbolic links as they are, names of one file as links to the first. Devices, sockets and
 * pipes are left out, and so is what cannot be read. A file that changes meanwhile has the size that it had when it was opened.
 *
 * @throws TooLargeError, by its bytes, where files turn out to have more than so many.
 */
export function packTree(top: string, maxBytes: number): PackedTree {
  const leftOut = new LeftOutCount();
  return { bytes: packed(top, maxBytes, leftOut), leftOut };
}

async function* packed(
  top: string,
  maxBytes: number,
  leftOut: LeftOutCount,
): AsyncGenerator<Uint8Array> {
  const pack = createPack();
  const packer = new Packer(pack, maxBytes, leftOut);
  let failure: unknown;
  const packing = packer.packAll(top).catch((error) => {
    failure = error;
    pack.destroy(error);
  });
  try {
    for await (const piece of pack) {
      yield piece as Uint8Array;
      packer.taken();
    }
  } catch (error) {
    throw failure ?? error;
  } finally {
    pack.destroy();
    packer.taken();
    await packing;
  }
}

/** What the library's streams can be asked. */
interface Backpressure {
  isBackpressured(pack: Pack): boolean;
}

class Packer {
  readonly #pack: Pack;
  readonly #leftOut: LeftOutCount;
  /** The first names of files that have several. */
  readonly #linked = new Map<string, string>();
  #bytesLeft: number;
  #taken = Promise.withResolvers<void>();

  constructor(pack: Pack, maxBytes: number, leftOut: LeftOutCount) {
    this.#pack = pack;
    this.#bytesLeft = maxBytes;
    this.#leftOut = leftOut;
  }

  /** Something was read of what is packed. */
  taken(): void {
    this.#taken.resolve();
    this.#taken = Promise.withResolvers();
  }

  async packAll(top: string): Promise<void> {
    for (const entry of walkTree(top, this.#leftOut)) {
      if (this.#pack.destroyed) return;
      await this.#add(entry);
      await this.#room();
    }
    this.#pack.finalize();
  }

  async #add(entry: FoundEntry): Promise<void> {
    const { path, place, stats } = entry;
    if (stats.isDirectory()) return this.#addHeader(headerOf(path, stats, "directory"));
    if (stats.isSymbolicLink()) return this.#addSymlink(entry);
    if (!stats.isFile()) return this.#leftOut.add(path, "it is no file");
    let open: number;
    try {
      // What was put in its place meanwhile is no pipe that is waited for, nor a link.
      open = openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") this.#leftOut.add(path, String(code));
      return;
    }
    try {
      const found = fstatSync(open, { bigint: true });
      if (found.isFile() && found.dev === stats.dev) await this.#addFile(path, open, found);
      else this.#leftOut.add(path, "it is no file");
    } finally {
      closeSync(open);
    }
  }

  #addSymlink({ path, place, stats }: FoundEntry): Promise<void> | void {
    try {
      const target = readlinkSync(place, { encoding: "buffer" });
      if (!isUtf8(target)) return this.#leftOut.add(path, "it links to a name that is no UTF-8");
      return this.#addHeader({ ...headerOf(path, stats, "symlink"), linkname: target.toString() });
    } catch {
      // It is no link any more, or gone.
    }
  }

  async #addFile(path: string, open: number, stats: BigIntStats): Promise<void> {
    if (stats.nlink > 1n) {
      const first = this.#linked.get(`${stats.dev} ${stats.ino}`);
      if (first !== undefined) {
        return this.#addHeader({ ...headerOf(path, stats, "link"), linkname: first });
      }
      if (this.#linked.size < MOST_LINKED) this.#linked.set(`${stats.dev} ${stats.ino}`, path);
    }
    const size = Number(stats.size);
    this.#bytesLeft -= size;
    if (this.#bytesLeft < 0) throw new TooLargeError("its files have grown beyond what is kept");
    const ended = Promise.withResolvers<void>();
    const header = { ...headerOf(path, stats, "file"), size };
    const entry = this.#pack.entry(header, (error) =>
      error ? ended.reject(error) : ended.resolve(),
    );
    // Who stops reading destroys the pack, and with it the entry.
    ended.promise.catch(() => {});
    for (let at = 0; at < size && !this.#pack.destroyed; ) {
      const piece = Buffer.alloc(Math.min(PIECE_BYTES, size - at));
      // What is missing of a file that has shrunk is zeros.
      readSync(open, piece, 0, piece.length, at);
      at += piece.length;
      entry.write(piece);
      await this.#room();
    }
    entry.end(undefined);
    await ended.promise;
  }

  #addHeader(header: ReturnType<typeof headerOf>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pack.entry(header, (error) => (error ? reject(error) : resolve())).end(undefined);
    return promise;
  }

  /** Resolves when no more is packed than is soon read. */
  async #room(): Promise<void> {
    const { isBackpressured } = this.#pack.constructor as unknown as Backpressure;
    while (!this.#pack.destroyed && isBackpressured(this.#pack)) await this.#taken.promise;
  }
}

function headerOf(
  name: string,
  stats: BigIntStats,
  type: Header["type"],
): Partial<Header> & Pick<Header, "name"> {
  const mode = Number(stats.mode) & 0o7777;
  const nanos = stats.mtimeNs < 0n ? 0n : stats.mtimeNs;
  // Times to the nanosecond, as pax has them. The library takes the mode 0 for none.
  const mtime = `${nanos / NANOS}.${String(nanos % NANOS).padStart(9, "0")}`;
  const pax = { mtime, ...(mode === 0 ? { [NO_MODE]: "1" } : {}) };
  return { name, type, mode, mtime: new Date(Number(nanos / 1_000_000n)), pax };
}
