import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** A place for a store that can be filled, and cleared again. */
export interface SmallDisk extends Disposable {
  /** Where the store lies. */
  readonly dataDir: string;
  /** What a server has to be started by for the disk to be as full as it is now. */
  readonly prefix: readonly string[];
  /** Leaves no room for anything that may be written by `pid`, the server that runs, if one does. */
  fill(pid?: number): void;
  /** Makes room again; `pid` is the server that runs, if one does. */
  clear(pid?: number): void;
}

/** How a disk is made small, by name. */
export type DiskKind = "tmpfs" | "file size limit";

/** Whether file systems may be mounted here. */
export function mayMount(root: string): boolean {
  try {
    mountedDisk(root)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}

/** Makes one in a directory; disposing takes it away again. */
export function makeSmallDisk(kind: DiskKind, root: string): SmallDisk {
  return kind === "tmpfs" ? mountedDisk(root) : limitedFiles(root);
}

/** A file system of 4 MiB of its own, filled by a file that takes what is left. */
function mountedDisk(root: string): SmallDisk {
  const directory = join(root, "disk");
  const ballast = join(directory, "ballast");
  mkdirSync(directory, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "breakglass-test", directory], {
    stdio: "pipe",
  });
  return {
    dataDir: join(directory, "data"),
    prefix: [],
    fill: () => fillWith(ballast),
    clear: () => rmSync(ballast, { force: true }),
    [Symbol.dispose]: () => void execFileSync("umount", ["--lazy", directory]),
  };
}

/** No file system, but a limit of how large a file may get (RLIMIT_FSIZE): 1 byte for one that is full. */
function limitedFiles(root: string): SmallDisk {
  const limit = (pid: number, bytes: string) =>
    void execFileSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:unlimited`]);
  let isFull = false;
  return {
    dataDir: join(root, "data"),
    get prefix() {
      return isFull ? ["prlimit", "--fsize=1:unlimited"] : [];
    },
    fill(pid) {
      isFull = true;
      if (pid !== undefined) limit(pid, "1");
    },
    clear(pid) {
      isFull = false;
      if (pid !== undefined) limit(pid, "unlimited");
    },
    [Symbol.dispose]: () => {},
  };
}

function fillWith(path: string): void {
  const file = openSync(path, "a");
  try {
    // To the last byte: the large pieces first.
    for (const size of [64 * 1024, 1024, 1]) writeUntilFull(file, Buffer.alloc(size));
  } finally {
    closeSync(file);
  }
}

function writeUntilFull(file: number, piece: Buffer): void {
  try {
    for (;;) if (writeSync(file, piece) < piece.length) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}
