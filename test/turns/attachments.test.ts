import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Attachment } from "../../src/turn-requests.ts";
import {
  attachmentRecords,
  attachmentsDigest,
  placeAttachments,
} from "../../src/turns/attachments.ts";

const TURN = "01990000-0000-7000-8000-000000000001";
const FOLDER = `attachments-${TURN}`;

const file = (name: string, text: string, mediaType = "text/plain"): Attachment => ({
  name,
  mediaType,
  data: new TextEncoder().encode(text),
});

let root: string;
let workspace: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "breakglass-attachments-"));
  workspace = join(root, "workspace");
  await mkdir(workspace);
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe("attachments", () => {
  it("lie in a folder of their turn, to be read by nobody else, and images do not", async () => {
    const image = file("graph.png", "an image", "image/png");
    const sent = [file("a.log", "one"), image, file("CLAUDE.md", "two"), file("empty", "")];
    const placed = await placeAttachments(workspace, TURN, sent);
    expect(placed.images).toEqual([image]);
    expect(placed.files).toEqual(["a.log", "CLAUDE.md", "empty"].map((name) => join(FOLDER, name)));
    const texts = placed.files.map((path) => readFile(join(workspace, path), "utf8"));
    expect(await Promise.all(texts)).toEqual(["one", "two", ""]);
    expect(await readdir(workspace)).toEqual([FOLDER]);
    expect((await stat(join(workspace, FOLDER))).mode & 0o777).toBe(0o700);
    expect((await stat(join(workspace, FOLDER, "a.log"))).mode & 0o777).toBe(0o600);
  });

  it("write nothing where there are only images", async () => {
    const sent = [file("graph.png", "an image", "image/png")];
    expect((await placeAttachments(workspace, TURN, sent)).files).toEqual([]);
    expect(await readdir(workspace)).toEqual([]);
  });

  it("follow no link that the agent put in the folder's place", async () => {
    const elsewhere = join(root, "elsewhere");
    await mkdir(elsewhere);
    await symlink(elsewhere, join(workspace, FOLDER));
    await expect(placeAttachments(workspace, TURN, [file("a", "x")])).rejects.toThrow(
      /^something is in their place already \(EEXIST\)$/,
    );
    expect(await readdir(elsewhere)).toEqual([]);
    expect(await readdir(workspace)).toEqual([FOLDER]);
  });

  it("leave alone what is there already under the folder's name", async () => {
    await mkdir(join(workspace, FOLDER));
    await writeFile(join(workspace, FOLDER, "a"), "the agent's");
    await expect(placeAttachments(workspace, TURN, [file("a", "x")])).rejects.toThrow();
    expect(await readFile(join(workspace, FOLDER, "a"), "utf8")).toBe("the agent's");
  });

  it("say that the workspace is not there, without its path", async () => {
    const nowhere = join(root, "nowhere");
    await expect(placeAttachments(nowhere, TURN, [file("a", "x")])).rejects.toThrow(
      /^the workspace is not there \(ENOENT\)$/,
    );
  });

  it("leave nothing behind where one of them cannot be written", async () => {
    const sent = [file("a", "x"), file("n".repeat(256), "y")];
    await expect(placeAttachments(workspace, TURN, sent)).rejects.toThrow();
    expect(await readdir(workspace)).toEqual([]);
  });

  it("are recorded by name, type and size", () => {
    expect(attachmentRecords([file("a", "äx")])).toEqual([
      { name: "a", mediaType: "text/plain", size: 3 },
    ]);
  });
});

describe("the digest of attachments", () => {
  const attachment = fc.record({
    name: fc.string(),
    mediaType: fc.string(),
    data: fc.uint8Array({ maxLength: 8 }),
  });

  it("is empty for none, and the same only for the same ones in the same order", async () => {
    expect(await attachmentsDigest([])).toBe("");
    const several = fc.array(attachment, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(several, several, async (one, other) => {
        const same = JSON.stringify(plain(one)) === JSON.stringify(plain(other));
        const digest = await attachmentsDigest(one);
        expect(digest === (await attachmentsDigest(other))).toBe(same);
        expect(await attachmentsDigest(structuredClone(one))).toBe(digest);
      }),
    );
  });

  it.each([
    ["order", [file("a", "x"), file("b", "y")], [file("b", "y"), file("a", "x")]],
    ["bytes that moved", [file("a", "xy"), file("b", "z")], [file("a", "x"), file("b", "yz")]],
    ["a name", [file("a", "x")], [file("b", "x")]],
    ["a type", [file("a", "x")], [file("a", "x", "text/csv")]],
    ["one more, empty", [file("a", "x")], [file("a", "x"), file("b", "")]],
  ])("tells of %s", async (_what, one, other) => {
    expect(await attachmentsDigest(one)).not.toBe(await attachmentsDigest(other));
  });
});

const plain = (attachments: readonly Attachment[]) =>
  attachments.map(({ name, mediaType, data }) => [name, mediaType, [...data]]);
