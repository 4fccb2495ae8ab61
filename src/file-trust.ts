import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";

/** What lets another user than the server's and root have a part in a file or a directory. */
export interface Weakness {
  /** What is weak: the file, a link, or a directory above them. */
  readonly path: string;
  /** Goes on from its path: "belongs to user 1000". */
  readonly why: string;
  /** The command that mends it. */
  readonly mend: string;
}

/** As many links as Linux follows. */
const MAX_LINKS = 40;
const WRITE_BY_GROUP_AND_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * What lets others put something else in the place of what stands at `path`: the first directory or link on the way there,
 * `path` itself left out, that another user owns, or that the group or others can write. Where it is sticky, such as `/tmp`,
 * they cannot replace what is not theirs. Undefined: nothing, or the system has no owners.
 *
 * @throws Error of `node:fs` where the way cannot be gone.
 */
export function replaceable(path: string): Weakness | undefined {
  if (process.geteuid === undefined) return undefined;
  for (const { path: at, stats } of wayTo(path)) {
    const weakness = foreignOwner(at, stats);
    if (weakness !== undefined) return weakness;
    if (stats.isDirectory() && (stats.mode & STICKY) === 0) {
      const written = modeWeakness(at, stats, WRITE_BY_GROUP_AND_OTHERS, "go-w");
      if (written !== undefined) return written;
    }
  }
  return undefined;
}

/** A file or directory that neither the server's user nor root owns: its owner can do with it as he likes. */
export function foreignOwner(path: string, { uid }: Stats): Weakness | undefined {
  const own = process.geteuid?.();
  if (own === undefined || uid === own || uid === 0) return undefined;
  const mend = `chown ${own} ${shellWord(path)}`;
  return { path, why: `belongs to user ${uid}, and the server runs as user ${own}`, mend };
}

/**
 * A file or directory whose mode has one of the bits in `forbidden`.
 *
 * @param change - What mends it, as `chmod` takes it.
 */
export function modeWeakness(
  path: string,
  { mode }: Stats,
  forbidden: number,
  change: string,
): Weakness | undefined {
  // Windows has no owners, and makes its modes up.
  if (process.geteuid === undefined || (mode & forbidden) === 0) return undefined;
  const why = `has the mode ${modeText(mode)}: ${doers(mode & forbidden)}`;
  return { path, why, mend: `chmod ${change} ${shellWord(path)}` };
}

/** As `chmod` takes it: `0644`. */
export function modeText(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

/** Who can do what, by the bits of a mode. */
function doers(bits: number): string {
  const who = bits & 0o007 ? "others" : "its group";
  return bits & 0o022 ? `${who} can write to it` : `${who} can read it`;
}

interface Place {
  readonly path: string;
  readonly stats: Stats;
}

/** Every directory and every link that is passed on the way to a path, whose own links are followed too. */
function* wayTo(path: string): Generator<Place> {
  const names = path.split("/");
  let links = 0;
  let at = "/";
  yield { path: at, stats: lstatSync(at) };
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = dirname(at);
      continue;
    }
    const next = join(at, name);
    const stats = lstatSync(next);
    if (stats.isSymbolicLink()) {
      if (++links > MAX_LINKS) throw Object.assign(new Error("too many links"), { code: "ELOOP" });
      yield { path: next, stats };
      const target = readlinkSync(next);
      if (isAbsolute(target)) at = "/";
      names.unshift(...target.split("/"));
    } else {
      if (names.some((rest) => rest !== "")) yield { path: next, stats };
      at = next;
    }
  }
}

/** A path as a shell takes it; one with a line break, which would not stay on one line, in JSON's words. */
function shellWord(path: string): string {
  if (/^[\w./@:+,-]+$/.test(path)) return path;
  if (/[\u0000-\u001f]/.test(path)) return JSON.stringify(path);
  return `'${path.replaceAll("'", "'\\''")}'`;
}
