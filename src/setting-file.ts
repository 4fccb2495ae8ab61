import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { ConfigError } from "./config/config-error.ts";
import { foreignOwner, modeWeakness, replaceable, type Weakness } from "./file-trust.ts";

/** A file that a setting names. */
export interface SettingFile {
  /** The setting, for the error. */
  readonly variable: string;
  /** An absolute path. */
  readonly path: string;
  /** The group may read a secret, and others may not; nobody but the owner may write any of them. */
  readonly isSecret: boolean;
}

/** None of them needs more: it is what keeps an endless one from filling the memory. */
const MAX_BYTES = 1024 * 1024;

const { O_NOCTTY, O_NONBLOCK, O_RDONLY } = constants;

/**
 * Reads a file that decides who may do what: a regular one of the server's user or root, of at most 1 MiB, that nobody else
 * can write or put another in the place of. Waits for nobody: a FIFO or a device is refused.
 *
 * @throws ConfigError that names the file, what is wrong with it, and the command that mends it.
 */
export function readSettingFile(file: SettingFile): Buffer {
  try {
    // Looked at before it is opened: opening some devices does something.
    refuseOtherKinds(file, statSync(file.path));
    refuseWeakness(file, replaceable(file.path));
    // Without waiting, should it have become a FIFO.
    const fd = openSync(file.path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    try {
      const stats = fstatSync(fd);
      refuseOtherKinds(file, stats);
      refuseWeakness(file, weaknessOf(file, stats));
      return readWhole(file, fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw refusal(file, `which cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function weaknessOf({ path, isSecret }: SettingFile, stats: Stats): Weakness | undefined {
  return (
    foreignOwner(path, stats) ??
    (isSecret ? modeWeakness(path, stats, 0o026, "600") : modeWeakness(path, stats, 0o022, "go-w"))
  );
}

function refuseWeakness(file: SettingFile, weakness: Weakness | undefined): void {
  if (weakness === undefined) return;
  const { path, why, mend } = weakness;
  const what = path === file.path ? "which" : `and ${JSON.stringify(path)}, on the way to it,`;
  throw refusal(file, `${what} ${why}: ${mend}`);
}

function refuseOtherKinds(file: SettingFile, stats: Stats): void {
  if (!stats.isFile()) throw refusal(file, `which is ${kindOf(stats)}, and must be a regular file`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  return stats.isSocket() ? "a socket" : "a device";
}

/** By what it holds and not by its size: files in /proc have none. */
function readWhole(file: SettingFile, fd: number): Buffer {
  const bytes = Buffer.alloc(MAX_BYTES + 1);
  let length = 0;
  while (length < bytes.length) {
    const read = readSync(fd, bytes, length, bytes.length - length, null);
    if (read === 0) return Buffer.from(bytes.subarray(0, length));
    length += read;
  }
  throw refusal(file, `which holds more than the ${MAX_BYTES} bytes that it may`);
}

function refusal({ variable, path }: SettingFile, what: string): ConfigError {
  return new ConfigError(`${variable} is ${JSON.stringify(path)}, ${what}`);
}
