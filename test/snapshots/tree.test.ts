import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packTree, surveyTree, TooLargeError } from "../../src/snapshots/pack-tree.ts";
import { unpackTree } from "../../src/snapshots/unpack-tree.ts";

const PLENTY = 2 ** 30;
let folder: string;
let from: string;
let to: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "breakglass-tree-"));
  from = join(folder, "from");
  to = join(folder, "to");
  for (const path of [from, to]) mkdirSync(path);
});
afterEach(() => {
  execFileSync("chmod", ["-R", "u+rwx", folder]);
  rmSync(folder, { recursive: true });
});

/** All that there is in a tree, with all that is kept of it. */
function seen(path: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const look = (inner: string) => {
    for (const name of readdirSync(join(path, inner)).toSorted()) {
      const each = join(inner, name);
      const place = join(path, each);
      const { mode, size, mtimeMs, nlink } = lstatSync(place);
      const stats = lstatSync(place);
      const what = { mode: mode.toString(8), time: Math.round(mtimeMs) };
      if (stats.isSymbolicLink()) found[each] = { ...what, link: readlinkSync(place) };
      else if (stats.isDirectory()) found[each] = what;
      else found[each] = { ...what, size, nlink, text: readFileSync(place).toString("base64") };
      if (stats.isDirectory()) look(each);
    }
  };
  look("");
  return found;
}

async function packed(maxBytes = PLENTY): Promise<{ bytes: Buffer; leftOut: readonly string[] }> {
  const tree = packTree(from, maxBytes);
  const pieces: Uint8Array[] = [];
  for await (const piece of tree.bytes) pieces.push(Buffer.from(piece));
  return { bytes: Buffer.concat(pieces), leftOut: tree.leftOut.some };
}

async function move(): Promise<readonly string[]> {
  const { bytes, leftOut } = await packed();
  await unpackTree(Readable.from([bytes]), to, { maxBytes: PLENTY });
  return leftOut;
}

describe("a tree that is packed and unpacked", () => {
  it("has its files, modes, times, links and names as they were", async () => {
    mkdirSync(join(from, "a/b"), { recursive: true });
    writeFileSync(join(from, "a/b/large"), Buffer.alloc(3_000_001, "x"));
    writeFileSync(join(from, "a/empty"), "");
    writeFileSync(join(from, "a/☃ \u{1d11e}\n"), "text", { mode: 0o755 });
    writeFileSync(join(from, `${"long".repeat(60)}`), "long");
    linkSync(join(from, "a/empty"), join(from, "a/second name"));
    symlinkSync("b/large", join(from, "a/link"));
    symlinkSync("/etc/passwd", join(from, "outside"));
    symlinkSync("x".repeat(3000), join(from, "dangling"));
    mkdirSync(join(from, "closed"));
    writeFileSync(join(from, "closed/file"), "in it");
    utimesSync(join(from, "closed/file"), 1_000_000_000.123, 1_000_000_000.123);
    writeFileSync(join(from, "nobody's"), "n");
    chmodSync(join(from, "closed"), 0o500);
    utimesSync(join(from, "a/b"), 5, 5);
    expect(await move()).toEqual([]);
    expect(seen(to)).toEqual(seen(from));
    expect(lstatSync(join(to, "a/empty")).ino).toBe(lstatSync(join(to, "a/second name")).ino);
  });

  it("is read by tar", async () => {
    mkdirSync(join(from, "a"));
    writeFileSync(join(from, "a/file"), "text");
    symlinkSync("a/file", join(from, "link"));
    const { bytes } = await packed();
    const list = execFileSync("tar", ["-t"], { input: bytes, encoding: "utf8" });
    expect(list.trimEnd().split("\n").toSorted()).toEqual(["a", "a/file", "link"]);
  });

  it("is without pipes, sockets, and names that are no text; and says so", async () => {
    writeFileSync(join(from, "file"), "text");
    execFileSync("mkfifo", [join(from, "pipe")]);
    writeFileSync(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff])]), "");
    const server = createServer().listen(join(from, "socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    const leftOut = await move();
    server.close();
    expect(leftOut.toSorted()).toEqual([
      "pipe: it is no file",
      "socket: it is no file",
      "\u00ff: its name is no UTF-8",
    ]);
    expect(Object.keys(seen(to))).toEqual(["file"]);
  });

  it("follows no link, in whatever place", async () => {
    mkdirSync(join(folder, "secret"));
    writeFileSync(join(folder, "secret/key"), "secret");
    symlinkSync("../secret", join(from, "folder"));
    symlinkSync("../secret/key", join(from, "file"));
    const { bytes } = await packed();
    expect(bytes.includes("secret/key")).toBe(true);
    await unpackTree(Readable.from([bytes]), to, { maxBytes: PLENTY });
    expect(Object.keys(seen(to))).toEqual(["file", "folder"]);
  });

  it("whose files change meanwhile is one all the same", async () => {
    for (let n = 0; n < 20; n++) writeFileSync(join(from, `file ${n}`), Buffer.alloc(1_000_000, n));
    const tree = packTree(from, PLENTY);
    const pieces: Uint8Array[] = [];
    let n = 0;
    for await (const piece of tree.bytes) {
      pieces.push(Buffer.from(piece));
      const path = join(from, `file ${n++ % 20}`);
      if (n % 3 === 0 && existsSync(path)) truncateSync(path, 10);
      else if (n % 3 === 1) rmSync(path, { force: true });
      else writeFileSync(path, Buffer.alloc(2_000_000));
    }
    await unpackTree(Readable.from(pieces), to, { maxBytes: PLENTY });
    for (const name of readdirSync(to)) {
      expect([10, 1_000_000, 2_000_000]).toContain(lstatSync(join(to, name)).size);
    }
  });

  it("is packed no faster than it is read", async () => {
    for (let n = 0; n < 2000; n++) mkdirSync(join(from, `folder ${n}`));
    const reading = packTree(from, PLENTY).bytes[Symbol.asyncIterator]();
    const pieces = [(await reading.next()).value as Uint8Array];
    for (let n = 0; n < 100; n++) await new Promise((resolve) => setImmediate(resolve));
    // What was not come to yet is gone.
    for (const name of readdirSync(from)) rmdirSync(join(from, name));
    for (let next = await reading.next(); !next.done; next = await reading.next()) {
      pieces.push(next.value);
    }
    await unpackTree(Readable.from(pieces), to, { maxBytes: PLENTY });
    expect(readdirSync(to).length).toBeLessThan(500);
  });

  it("that is too large is not packed, whether it is seen before or while it is read", async () => {
    writeFileSync(join(from, "file"), Buffer.alloc(1000));
    expect(surveyTree(from, 1000).bytes).toBe(1000);
    expect(() => surveyTree(from, 999)).toThrow(TooLargeError);
    await expect(packed(999)).rejects.toThrow(TooLargeError);
    const { bytes } = await packed();
    const unpacking = unpackTree(Readable.from([bytes]), to, { maxBytes: 999 });
    await expect(unpacking).rejects.toThrow(/more in it than it may/);
  });

  it("that ends too early is refused", async () => {
    writeFileSync(join(from, "file"), Buffer.alloc(10_000));
    const { bytes } = await packed();
    const unpacking = unpackTree(Readable.from([bytes.subarray(0, 5000)]), to, {
      maxBytes: PLENTY,
    });
    await expect(unpacking).rejects.toThrow(/Unexpected end of data/);
  });

  it("has another fingerprint when anything in it was changed, and else the same", () => {
    mkdirSync(join(from, "a"));
    writeFileSync(join(from, "a/file"), "text");
    const before = surveyTree(from, PLENTY).fingerprint;
    expect(surveyTree(from, PLENTY).fingerprint).toBe(before);
    writeFileSync(join(from, "a/file"), "next");
    const written = surveyTree(from, PLENTY).fingerprint;
    expect(written).not.toBe(before);
    chmodSync(join(from, "a/file"), 0o600);
    expect(surveyTree(from, PLENTY).fingerprint).not.toBe(written);
  });
});
