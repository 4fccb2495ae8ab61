import { createHash, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Log } from "../log.ts";

/** The token of whoever can read the server's files, in its data directory. */
const TOKEN_FILE = "local-token";
/** The URL of the server that takes it, while that serves: the token is for nobody else. */
const ADDRESS_FILE = "local-address";
const TOKEN = /^[0-9a-f]{64}$/;
const MAX_BYTES = 4096;
const ANYONE_ELSE = 0o077;

/**
 * The token by which the server's own user is known where there is no tokens file: whoever can read the data directory could
 * read the store as well.
 */
export class LocalToken {
  readonly #hash: Buffer;

  constructor(token: string) {
    this.#hash = sha256(token);
  }

  /**
   * Takes the token that is in the data directory, or makes one. Where it cannot be kept, as on a full disk, nobody has it:
   * the log says so.
   *
   * @throws Error in words where something else is in its place.
   */
  static keep(dataDir: string, log: Log): LocalToken {
    const path = join(dataDir, TOKEN_FILE);
    const kept = readOwn(path);
    if (kept !== undefined && TOKEN.test(kept.text) && (kept.mode & ANYONE_ELSE) === 0) {
      return new LocalToken(kept.text);
    }
    if (kept !== undefined)
      log.warn("the local token could be others' too, and is made anew", { path });
    const token = randomBytes(32).toString("hex");
    try {
      replace(path, token);
    } catch (error) {
      log.warn("the local token cannot be kept: nobody has it", { path, error });
    }
    return new LocalToken(token);
  }

  /** Whether a token is this one. Takes the same time for every token. */
  is(token: string): boolean {
    return timingSafeEqual(sha256(token), this.#hash);
  }
}

/** Says in the data directory by which URL a server takes the local token. Never throws: the commands send none then. */
export function tellLocalAddress(dataDir: string, url: string): void {
  try {
    replace(join(dataDir, ADDRESS_FILE), url);
  } catch {
    // The disk is full, or is not to be written to.
  }
}

/** Takes that back. Never throws. */
export function forgetLocalAddress(dataDir: string): void {
  try {
    rmSync(join(dataDir, ADDRESS_FILE), { force: true });
  } catch {
    // The disk is not to be written to.
  }
}

/** The local token of a data directory. Undefined: none is there that this user may read. */
export function readLocalToken(dataDir: string): string | undefined {
  try {
    const text = readOwn(join(dataDir, TOKEN_FILE))?.text;
    return text !== undefined && TOKEN.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The same for a server, where that is the one that takes it and this machine's own. */
export function localTokenFor(dataDir: string, url: string): string | undefined {
  try {
    const address = readOwn(join(dataDir, ADDRESS_FILE))?.text;
    return address !== undefined && isSameServer(address, url)
      ? readLocalToken(dataDir)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether two URLs are of one server on this machine: one socket, or one port of loopback. */
function isSameServer(address: string, url: string): boolean {
  if (address.startsWith("unix:") || url.startsWith("unix:"))
    return pathOf(address) === pathOf(url);
  const [here, there] = [new URL(address), new URL(url)];
  return (
    [here, there].every(isOnLoopback) &&
    here.protocol === there.protocol &&
    here.port === there.port
  );
}

function pathOf(url: string): string {
  return url.replace(/^unix:\/*/, "unix:/");
}

function isOnLoopback({ hostname }: URL): boolean {
  if (hostname === "localhost" || hostname === "[::1]") return true;
  return isIP(hostname) === 4 && hostname.startsWith("127.");
}

/**
 * A small file of this user's or root's.
 *
 * @throws Error in words where it is something else; NodeJS.ErrnoException where it may not be read.
 */
function readOwn(path: string): { text: string; mode: number } | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    const isOurs = stats.uid === 0 || stats.uid === process.geteuid?.();
    if (!stats.isFile() || stats.size > MAX_BYTES || !isOurs) {
      throw new Error(`${path} is no file of the server's: remove it`);
    }
    return { text: readFileSync(fd, "utf8").trim(), mode: stats.mode };
  } finally {
    closeSync(fd);
  }
}

/** At once, and for its user alone. */
function replace(path: string, text: string): void {
  const whole = `${path}.${randomUUID()}`;
  try {
    writeFileSync(whole, `${text}\n`, { flag: "wx", mode: 0o600 });
    renameSync(whole, path);
  } catch (error) {
    rmSync(whole, { force: true });
    throw error;
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
