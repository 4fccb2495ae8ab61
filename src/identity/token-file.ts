import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ConfigError } from "../config/config-error.ts";
import { readSettingFile } from "../setting-file.ts";
import { type KnownToken, parseTokens } from "./tokens.ts";

/** How long a change waits for another one: each takes milliseconds. */
const LOCK_MS = 10_000;
/** What others than its owner may do with a file of tokens that is there: its group may read it. */
const KEPT_MODE = 0o640;
const OWN_MODE = 0o600;

const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants;

/** A file of tokens as it is: its lines, and those of them that hold tokens. */
export interface TokenFile {
  /** Without their ends. */
  readonly lines: readonly string[];
  readonly tokens: readonly KnownToken[];
}

/**
 * Reads a file of tokens. One that is not there holds none.
 *
 * @throws ConfigError that names what to mend.
 */
export function readTokenFile(path: string): TokenFile {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return { lines: [], tokens: [] };
  const file = { variable: "BREAKGLASS_TOKENS_FILE", path, isSecret: true };
  const text = readSettingFile(file).toString("utf8");
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return { lines, tokens: parseTokens(text, path) };
}

/**
 * Changes a file of tokens: whole or not at all, and one change behind the other, whichever process makes it. A new file is
 * its user's alone; one that is there keeps its owner, and a group that may read it.
 *
 * @param change - What the lines become.
 * @throws ConfigError where the file cannot be used; Error where it cannot be written.
 */
export function changeTokenFile(
  path: string,
  change: (file: TokenFile) => readonly string[],
): void {
  const target = targetOf(path);
  using _lock = lock(target);
  const lines = change(readTokenFile(target));
  const text = lines.map((line) => `${line}\n`).join("");
  // What no server would take is not written.
  parseTokens(text, target);
  replace(target, text);
}

/** The file itself, where the path is a link to it: a link stays one. */
function targetOf(path: string): string {
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
  return isThere ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path));
}

/** SQLite's locks are the kernel's: who dies holds none. The file beside it stays, and is empty. */
function lock(path: string): Disposable {
  const beside = `${path}.lock`;
  closeSync(openSync(beside, O_CREAT | O_RDWR | O_NOFOLLOW, OWN_MODE));
  const database = new DatabaseSync(beside, { timeout: LOCK_MS });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    const why = (error as Error).message;
    throw new ConfigError(`${path} is being changed by another command: ${why}`);
  }
  return { [Symbol.dispose]: () => database.close() };
}

function replace(path: string, text: string): void {
  const before = statSync(path, { throwIfNoEntry: false });
  const next = `${path}.${randomUUID()}`;
  try {
    const fd = openSync(next, "wx", OWN_MODE);
    try {
      if (before !== undefined) keepOwner(next, before);
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

function keepOwner(path: string, { uid, gid, mode }: Stats): void {
  const own = statSync(path);
  if (own.uid !== uid || own.gid !== gid) chownSync(path, uid, gid);
  chmodSync(path, mode & KEPT_MODE);
}

function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
