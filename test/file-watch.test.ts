import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileWatch } from "../src/file-watch.ts";
import { eventually } from "./support/processes.ts";

/** No poll comes within a test that waits for it. */
const NEVER_MS = 3_600_000;

let folder: string;
const watches: FileWatch[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-watch-"));
});
afterEach(async () => {
  for (const watch of watches.splice(0)) watch.stop();
  await rm(folder, { recursive: true, force: true });
});

/**
 * Watches a file, and resolves once it is known to: with what the file held each time that it was told of.
 *
 * @param write - Writes a text to the file, so that it is told of.
 */
async function watching(
  path: string,
  pollMs = NEVER_MS,
  write: (text: string) => void = (text) => writeFileSync(path, text),
) {
  const seen: string[] = [];
  const read = () => (statSync(path).isFile() ? readFileSync(path, "utf8") : "no file");
  const changed = () => {
    try {
      seen.push(read());
    } catch {
      seen.push("gone");
    }
  };
  watches.push(new FileWatch(() => [path], changed, pollMs));
  for (let round = 0; seen.length === 0; round++) {
    write(`round ${round}`);
    await eventually(
      () => seen.length,
      (count) => count > 0,
      1000,
    );
  }
  const told = async (text: string) => {
    const last = await eventually(
      () => seen.at(-1),
      (found) => found === text,
    );
    expect(last).toBe(text);
  };
  return { seen, told };
}

describe("a watched file is told of where it", () => {
  it("is written in place", async () => {
    const path = join(folder, "file");
    await writeFile(path, "one");
    const { told } = await watching(path);
    writeFileSync(path, "two");
    await told("two");
    // Of the same length, and once more.
    writeFileSync(path, "six");
    await told("six");
    appendFileSync(path, "!");
    await told("six!");
  });

  it("is replaced by another that is renamed to it, and again", async () => {
    const path = join(folder, "file");
    await writeFile(path, "one");
    const { told } = await watching(path);
    for (const text of ["two", "three"]) {
      await writeFile(join(folder, "next"), text);
      await rename(join(folder, "next"), path);
      await told(text);
    }
  });

  it("is behind a link that is switched, as Kubernetes does with a secret", async () => {
    const publish = async (version: string) => {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, "tokens"), version);
      await symlink(version, join(folder, "..data_tmp"));
      await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    };
    await publish("..1");
    await symlink("..data/tokens", join(folder, "tokens"));
    const { told } = await watching(join(folder, "tokens"));
    await publish("..2");
    await told("..2");
    await rm(join(folder, "..1"), { recursive: true });
    await publish("..3");
    await told("..3");
  });

  it("is in a directory behind a link that is switched", async () => {
    for (const version of ["v1", "v2"]) {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, "file"), version);
    }
    await symlink("v1", join(folder, "current"));
    const { told } = await watching(join(folder, "current", "file"));
    await symlink("v2", join(folder, "next"));
    await rename(join(folder, "next"), join(folder, "current"));
    await told("v2");
  });

  it("goes with its directory, and comes back with a new one", async () => {
    const directory = join(folder, "outer", "inner");
    const path = join(directory, "file");
    await mkdir(directory, { recursive: true });
    await writeFile(path, "one");
    const { told } = await watching(path);
    await rm(join(folder, "outer"), { recursive: true });
    await told("gone");
    await mkdir(join(folder, "outer"));
    await mkdir(directory);
    await writeFile(path, "back");
    await told("back");
    await writeFile(path, "later");
    await told("later");
  });

  it("becomes one that somebody could wait for, which nobody does", async () => {
    const path = join(folder, "file");
    await writeFile(path, "one");
    const { told } = await watching(path);
    execFileSync("mkfifo", [join(folder, "fifo")]);
    await rename(join(folder, "fifo"), path);
    await told("no file");
    await rm(path);
    await writeFile(path, "two");
    await told("two");
  });
});

describe("a watch", () => {
  it("looks by itself where nothing tells", async () => {
    const path = join(folder, "file");
    await writeFile(path, "one");
    // Of what is written by another name, in another directory, the file's own hears nothing.
    await mkdir(join(folder, "elsewhere"));
    const other = join(folder, "elsewhere", "file");
    await link(path, other);
    const { told } = await watching(path, 20, (text) => writeFileSync(other, text));
    writeFileSync(other, "two");
    await told("two");
  });

  it("tells nothing where what counts stays as it was", async () => {
    const path = join(folder, "file");
    await writeFile(path, "one");
    const { seen, told } = await watching(path);
    await told(await readFile(path, "utf8"));
    const before = seen.length;
    await utimes(path, 1, 1);
    await writeFile(join(folder, "other"), "beside it");
    await writeFile(join(folder, "next"), await readFile(path));
    await rename(join(folder, "next"), path);
    await chmod(path, 0o600);
    await eventually(
      () => seen.length,
      (count) => count > before,
    );
    // Its mode alone was told.
    expect(seen.length).toBe(before + 1);
  });
});
