import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { attachedFiles } from "../../src/commands/attached-file.ts";

let directory: string;

async function attachedFile(path: string) {
  return (await attachedFiles([path]))[0];
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "breakglass-attached-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

describe("a file that is attached", () => {
  it.each([
    ["panel.PNG", "image/png"],
    ["notes.log", "text/plain"],
    ["core", "application/octet-stream"],
  ])("goes as %s with the type %s", async (name, mediaType) => {
    await writeFile(join(directory, name), "x");
    const data = new Uint8Array([0x78]);
    expect(await attachedFile(join(directory, name))).toEqual({ name, mediaType, data });
  });

  it("is refused where reading it might never end", async () => {
    await expect(attachedFile("/dev/zero")).rejects.toThrow("it is no file");
    await expect(attachedFile(directory)).rejects.toThrow("it is no file");
  });

  it("is refused, unread, where no server would take it", async () => {
    const path = join(directory, "large");
    await writeFile(path, "");
    await truncate(path, 64 * 1024 * 1024 + 1);
    await expect(attachedFile(path)).rejects.toThrow("it has more than 67108864 bytes");
  });

  it("is refused with the cause where it cannot be read", async () => {
    await expect(attachedFile(join(directory, "none"))).rejects.toThrow("(ENOENT)");
  });
});
