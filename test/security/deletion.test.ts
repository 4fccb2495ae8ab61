import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LeftFiles, removeTree } from "../../src/files/remove-tree.ts";

const run = promisify(execFile);
const sh = (command: string, cwd: string) => run("sh", ["-c", command], { cwd });
const NOTHING: LeftFiles = { files: [], count: 0 };

let root: string;
let tree: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "breakglass-deletion-"));
  tree = join(root, "tree");
  await mkdir(tree);
});

afterEach(async () => {
  for (const command of ["chattr -R -i .", "umount tree/mounted", "chmod -R u+rwx ."]) {
    await sh(`${command} 2>/dev/null || true`, root);
  }
  await rm(root, { recursive: true, force: true });
});

function removeAll(path: string, longestMs = 60_000): LeftFiles {
  const removal = removeTree(path, { sliceMs: 20, longestMs });
  for (let step = removal.next(); ; step = removal.next()) if (step.done) return step.value;
}

/** Directories in directories, deeper than any path can name. */
const DEEP =
  "perl -e 'for (1..1500) { mkdir q(directory) or die; chdir q(directory) or die } open F, q(>file)'";

describe("a tree of files", () => {
  it("is removed however deep it is", async () => {
    await sh(`for n in 1 2; do mkdir $n; (cd $n; ${DEEP}); done`, tree);
    expect(removeAll(tree)).toEqual(NOTHING);
    expect(existsSync(tree)).toBe(false);
  });

  it("is removed with its pipes, its links, and what is already gone", async () => {
    await sh("mkfifo pipe; ln -s /nowhere dangling; ln -s / all; mkdir -p a/b; touch a/b/c", tree);
    expect(removeAll(tree)).toEqual(NOTHING);
    expect(removeAll(tree)).toEqual(NOTHING);
    expect(removeAll(join(root, "never", "there"))).toEqual(NOTHING);
    await writeFile(tree, "a file in its place");
    expect(removeAll(tree)).toEqual(NOTHING);
    expect(await readdir(root)).toEqual([]);
  });

  it("is removed where its owner has taken away the permissions, also deep down", async () => {
    const perl = DEEP.replace("open F", "chmod 0, $_ for qw(.); open F").replace(
      "q(>file)",
      "q(x)",
    );
    await sh(`mkdir -p a/b deep; touch a/b/c; (cd deep; ${perl}); chmod 0 a/b; chmod 0 a`, tree);
    // Root may do everything: as somebody who may not.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await sh("chown -R 65534:65534 .; chmod 755 .", root);
    const module = new URL("../../src/files/remove-tree.ts", import.meta.url).pathname;
    const program = `
      process.chdir("/");
      const { removeTree } = await import(${JSON.stringify(module)});
      const removal = removeTree(process.argv[1]);
      let step; do step = removal.next(); while (!step.done);
      console.log(JSON.stringify(step.value));`;
    const setting = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    const [command, ...args] = [...setting, process.execPath, "-e", program, tree];
    const { stdout } = await run(command!, args);
    expect(JSON.parse(stdout)).toEqual(NOTHING);
    expect(existsSync(tree)).toBe(false);
  });

  it("is removed but for what cannot be, which is told of by its path", async (context) => {
    await sh("mkdir -p kept/in gone; touch kept/in/file gone/file; ", tree);
    const isImmutable = spawnSync("chattr", ["+i", join(tree, "kept", "in")]).status === 0;
    if (!isImmutable) context.skip("files cannot be made immutable here");
    expect(removeAll(tree)).toEqual({
      files: [{ path: join(tree, "kept", "in", "file"), reason: "EPERM" }],
      count: 1,
    });
    expect(await readdir(tree)).toEqual(["kept"]);
  });

  it("is removed but for what is mounted in it", async (context) => {
    const other = join(root, "other");
    await sh("mkdir other tree/mounted tree/gone; touch other/precious tree/file", root);
    const mounted = join(tree, "mounted");
    if (spawnSync("mount", ["--bind", other, mounted]).status !== 0) {
      context.skip("nothing can be mounted here");
    }
    const left = removeAll(tree);
    expect(left).toEqual({
      files: [{ path: mounted, reason: "something is mounted there" }],
      count: 1,
    });
    expect(await readdir(other)).toEqual(["precious"]);
    expect(await readdir(tree)).toEqual(["mounted"]);
  });

  it("that is filled all the time is left, and said to be", async () => {
    await mkdir(join(tree, "filled"));
    const removal = removeTree(tree, { sliceMs: -1, longestMs: 60_000 });
    let step = removal.next();
    for (let n = 0; !step.done; n++) {
      if (existsSync(join(tree, "filled"))) await writeFile(join(tree, "filled", `${n}`), "");
      else await mkdir(join(tree, "filled")).catch(() => {});
      expect(n).toBeLessThan(100_000);
      step = removal.next();
    }
    expect(step.value.count).toBeGreaterThan(0);
  });
});
