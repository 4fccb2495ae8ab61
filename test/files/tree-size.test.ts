import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { measureTree } from "../../src/files/tree-size.ts";

async function directory() {
  const root = await mkdtemp(join(tmpdir(), "breakglass-size-"));
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

function measure(path: string, sliceMs?: number) {
  const measuring = measureTree(path, sliceMs);
  let yields = 0;
  let step = measuring.next();
  for (; !step.done; step = measuring.next()) yields++;
  return { ...step.value, yields };
}

/** What `du` says of what is in a directory. */
function du(path: string): number {
  const [kib = "0"] = execFileSync("du", ["-sk", path], { encoding: "utf8" }).split("\t");
  const [own = "0"] = execFileSync("stat", ["-c", "%b", path], { encoding: "utf8" }).split("\n");
  return Number(kib) * 1024 - Number(own) * 512;
}

describe("the size of a tree", () => {
  it("is what du counts: blocks, a file of several names once, and a sparse one as it is", async () => {
    await using there = await directory();
    const { root } = there;
    mkdirSync(join(root, "a", "b", "c"), { recursive: true });
    for (const [n, name] of ["one", "a/two", "a/b/three", "a/b/c/four"].entries()) {
      writeFileSync(join(root, name), Buffer.alloc(100_000 * (n + 1), "x"));
    }
    for (let n = 0; n < 20; n++) linkSync(join(root, "one"), join(root, "a", `name ${n}`));
    execFileSync("truncate", ["-s", "1T", join(root, "sparse")]);
    const { bytes, isWhole } = measure(root);
    expect(bytes).toBe(du(root));
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(bytes).toBeLessThan(2_000_000);
    expect(isWhole).toBe(true);
  });

  it("has nothing of what a link leads to, wherever that stands", async () => {
    await using there = await directory();
    await using outside = await directory();
    const { root } = there;
    writeFileSync(join(outside.root, "large"), Buffer.alloc(10_000_000, "x"));
    mkdirSync(join(root, "work"));
    symlinkSync(outside.root, join(root, "work", "out"));
    symlinkSync("/", join(root, "work", "all"));
    symlinkSync(".", join(root, "work", "round"));
    expect(measure(join(root, "work")).bytes).toBeLessThan(100_000);
    symlinkSync(outside.root, join(root, "link"));
    expect(measure(join(root, "link"))).toMatchObject({ bytes: 0 });
    expect(measure(join(root, "nothing"))).toMatchObject({ bytes: 0, isWhole: true });
  });

  it("is not that of all where it lies too deep, and says so", async () => {
    await using there = await directory();
    const path = join(there.root, ...Array.from({ length: 200 }, () => "d"));
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "deep"), Buffer.alloc(1_000_000, "x"));
    writeFileSync(join(there.root, "flat"), Buffer.alloc(1_000_000, "x"));
    const { bytes, isWhole } = measure(there.root);
    expect(isWhole).toBe(false);
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(bytes).toBeLessThan(2_000_000);
  });

  it("is looked for in slices", async () => {
    await using there = await directory();
    for (let n = 0; n < 200; n++) writeFileSync(join(there.root, String(n)), "x");
    expect(measure(there.root, 0).yields).toBeGreaterThan(50);
  });
});
