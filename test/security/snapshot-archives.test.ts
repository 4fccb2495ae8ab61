import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import fc from "fast-check";
import { type Header, pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unpackTree } from "../../src/snapshots/unpack-tree.ts";

let folder: string;
let top: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "breakglass-archive-"));
  top = join(folder, "workspace");
  mkdirSync(top);
  mkdirSync(join(folder, "other"));
  writeFileSync(join(folder, "other/file"), "theirs");
});
afterEach(() => rmSync(folder, { recursive: true }));

type Named = Partial<Header> & Pick<Header, "name">;

function archiveOf(entries: readonly Named[]): Readable {
  const archive = pack();
  for (const entry of entries) {
    if (entry.type === undefined || entry.type === "file") archive.entry(entry, "ours");
    else archive.entry(entry).end(undefined);
  }
  archive.finalize();
  return Readable.from(archive);
}

function unpack(entries: readonly Named[]) {
  return unpackTree(archiveOf(entries), top, { maxBytes: 1_000_000 });
}

function expectUntouched(): void {
  expect(readdirSync(folder).toSorted()).toEqual(["other", "workspace"]);
  expect(readdirSync(join(folder, "other"))).toEqual(["file"]);
  expect(readFileSync(join(folder, "other/file"), "utf8")).toBe("theirs");
  expect(lstatSync(join(folder, "other/file")).nlink).toBe(1);
}

describe("an archive of another's making", () => {
  it.each<[string, readonly Named[]]>([
    ["a name above", [{ name: "../other/new" }]],
    ["an absolute name", [{ name: "/tmp/breakglass-absolute" }]],
    ["a name that goes up within", [{ name: "a/../../other/new" }]],
    [
      "a link to a folder, and a file in it",
      [
        { name: "to", type: "symlink", linkname: "../other" },
        { name: "to/new" },
        { name: "to/file" },
      ],
    ],
    [
      "a link to a file, and the file",
      [{ name: "to", type: "symlink", linkname: "../other/file" }, { name: "to" }],
    ],
    [
      "a folder that becomes a link",
      [
        { name: "a", type: "directory" },
        { name: "a", type: "symlink", linkname: "../other" },
        { name: "a/../a/new" },
      ],
    ],
    ["a hard link above", [{ name: "to", type: "link", linkname: "../other/file" }]],
    [
      "a hard link through a link",
      [
        { name: "way", type: "symlink", linkname: "../other" },
        { name: "to", type: "link", linkname: "way/file" },
      ],
    ],
    [
      "a hard link to a link, and a file in its place",
      [
        { name: "way", type: "symlink", linkname: "../other/file" },
        { name: "to", type: "link", linkname: "way" },
        { name: "to" },
      ],
    ],
    [
      "a link in a folder's place whose mode is set at the end",
      [
        { name: "d", type: "directory", mode: 0o777 },
        { name: "d/x" },
        { name: "d", type: "symlink", linkname: "../other" },
      ],
    ],
  ])("with %s changes nothing outside", async (_what, entries) => {
    const before = lstatSync(join(folder, "other")).mode;
    const leftOut = await unpack(entries);
    expect(leftOut.count).toBeGreaterThan(0);
    expectUntouched();
    expect(lstatSync(join(folder, "other")).mode).toBe(before);
    expect(existsSync("/tmp/breakglass-absolute")).toBe(false);
  });

  it("makes no device, pipe, or file with another's rights", async () => {
    await unpack([
      { name: "device", type: "character-device", devmajor: 1, devminor: 3 },
      { name: "block", type: "block-device", devmajor: 1, devminor: 3 },
      { name: "pipe", type: "fifo" },
      { name: "rights", mode: 0o6755 },
    ]);
    expect(readdirSync(top)).toEqual(["rights"]);
    expect(lstatSync(join(top, "rights")).mode & 0o7777).toBe(0o755);
  });

  it("of any names and links changes nothing outside", async () => {
    const step = fc.constantFrom("a", "b", "..", ".", "", "to", "other", "file", "workspace");
    const name = fc.array(step, { minLength: 1, maxLength: 5 }).map((steps) => steps.join("/"));
    const entry = fc.record({
      name: name.filter((text) => text !== ""),
      type: fc.constantFrom("file", "directory", "symlink", "link") as fc.Arbitrary<Header["type"]>,
      linkname: name.map((text) => text || "a"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 12 }), async (entries) => {
        await unpack(entries).catch(() => {});
        expectUntouched();
        rmSync(top, { recursive: true });
        mkdirSync(top);
      }),
      { numRuns: 60 },
    );
  });
});
