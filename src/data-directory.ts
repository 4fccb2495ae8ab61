import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmdirSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "./config/config-error.ts";
import { foreignOwner, modeText, modeWeakness, replaceable, type Weakness } from "./file-trust.ts";
import type { Log } from "./log.ts";

const OTHERS = 0o007;
const WRITE_BY_OTHERS = 0o002;
const READ_OR_WRITE_BY_ANYONE_ELSE = 0o066;

/**
 * Makes a directory for the server's own files, for its user alone, or takes one that is there and that others cannot write.
 * Its group may: that is how a volume is handed to a server that does not own it.
 *
 * @throws ConfigError that names the variable, the directory and what mends it.
 */
export function prepareDirectory(variable: string, path: string, log: Log): void {
  try {
    makeDirectory(path);
    const foreign = refuseShared(variable, path);
    if (foreign !== undefined) {
      log.warn(
        "a directory is on a file system without modes: whoever can use it can read the store",
        { directory: path, mode: modeText(statSync(path).mode) },
      );
    }
    const above = foreign === undefined ? replaceable(path) : undefined;
    if (above !== undefined) {
      const { path: weak, why, mend } = above;
      log.warn("others can put another directory in the place of one of the server's", {
        ...{ variable, directory: path, weak, why, mend },
      });
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const why = (error as NodeJS.ErrnoException).code;
    throw new ConfigError(`${variable} is ${JSON.stringify(path)}, which cannot be made: ${why}`);
  }
}

/**
 * Refuses a directory that is there and that others can change.
 *
 * @returns what would let others change it, on a file system that shows every file so.
 * @throws ConfigError that names the variable, the directory and what mends it.
 */
export function refuseShared(variable: string, path: string): Weakness | undefined {
  const stats = statSync(path);
  const foreign = foreignOwner(path, stats) ?? modeWeakness(path, stats, WRITE_BY_OTHERS, "o-w");
  if (foreign === undefined || !keepsModes(path)) return foreign;
  throw new ConfigError(
    `${variable} is ${JSON.stringify(path)}, which ${foreign.why}: ${foreign.mend}`,
  );
}

/**
 * Makes the store's file for the server's user alone, and takes from others what an earlier server left them: of the file, of
 * those that SQLite keeps beside it, and of copies with its name in front. SQLite gives what it makes the file's own mode.
 *
 * @throws Error of `node:fs` where it cannot be made.
 */
export function keepStorePrivate(path: string, log: Log): void {
  const folder = dirname(path);
  const names = readdirSync(folder).filter((name) => name.startsWith(basename(path)));
  // Never opened where it is there: closing it would give up the locks that a store in this process has on it.
  if (!names.includes(basename(path))) create(path);
  for (const name of names) tighten(join(folder, name), log);
}

function create(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // SQLite will say why it has no file.
  }
}

function tighten(path: string, log: Log): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile()) return;
  const foreign = foreignOwner(path, stats);
  if (foreign !== undefined) {
    const { why, mend } = foreign;
    log.error("a file of the store is another user's, who can use it", { path, why, mend });
  }
  if ((stats.mode & READ_OR_WRITE_BY_ANYONE_ELSE) === 0) return;
  const from = modeText(stats.mode);
  try {
    chmodSync(path, 0o600);
    log.warn("others could use a file of the store, and no longer can", { path, from, to: "0600" });
  } catch (error) {
    log.error("others can use a file of the store: chmod 600 failed", { path, mode: from, error });
  }
}

/** Some file systems show every file with one mode, whatever it was made with. */
function keepsModes(directory: string): boolean {
  try {
    const probe = mkdtempSync(join(directory, ".modes-"));
    const { mode } = statSync(probe);
    rmdirSync(probe);
    return (mode & OTHERS) === 0;
  } catch {
    return true;
  }
}

/** Makes a directory and those above it. Node's own recursion never ends where a parent takes none, as in /proc. */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    if (code !== "ENOENT" || existsSync(dirname(path))) throw error;
    makeDirectory(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}
