import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  conversationOrigin,
  removeConversations,
} from "../../../src/agent/claude/conversation-files.ts";
import { TreeRemovals } from "../../../src/files/tree-removals.ts";

let root: string;
let config: string;
let workspace: string;
const id = randomUUID();

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "breakglass-config-"));
  config = join(root, "config");
  workspace = join(root, "sessions", "workspace");
  await mkdir(workspace, { recursive: true });
});

afterEach(() => rm(root, { recursive: true, force: true }));

const projectOf = (path: string) => path.replace(/[^a-zA-Z0-9]/g, "-");

async function keep(project: string, ...lines: object[]): Promise<string> {
  const folder = join(config, "projects", project);
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${id}.jsonl`);
  await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return path;
}

const origin = (of = id) => conversationOrigin(config, of, workspace);

describe("a conversation on disk", () => {
  it("is there or not, and under no id that is none", async () => {
    expect(await origin()).toBeUndefined();
    await keep("anything", { cwd: workspace });
    expect(await origin()).toBe("own");
    expect(await origin(`../anything/${id}`)).toBeUndefined();
  });

  it("is the session's own where it was begun in the workspace, whatever its folder", async () => {
    await keep("anything", { type: "mode" }, { cwd: workspace }, { cwd: "/elsewhere" });
    expect(await origin()).toBe("own");
  });

  it("is the session's own where it was begun in a directory of the workspace", async () => {
    await keep("anything", { cwd: join(workspace, "deep", "down") });
    expect(await origin()).toBe("own");
    await keep("anything", { cwd: `${workspace}-of-another` });
    expect(await origin()).toBe("foreign");
  });

  it("is another's where it was begun elsewhere, in the workspace's folder too", async () => {
    await keep(projectOf(workspace), { cwd: "/elsewhere" }, { cwd: workspace });
    expect(await origin()).toBe("foreign");
  });

  it("is known by its folder where it does not say", async () => {
    const path = await keep(projectOf(workspace), { type: "summary" });
    expect(await origin()).toBe("own");
    await rm(path);
    await keep("anything", { type: "summary" });
    expect(await origin()).toBe("untold");
  });

  it("says so behind a prompt of any length, in which nothing counts", async () => {
    const prompt = `"cwd":"${workspace}"`.padStart(900_000, "x");
    await keep("anything", { message: prompt, cwd: "/elsewhere" });
    expect(await origin()).toBe("foreign");
    for (let bytes = 262_000; bytes < 262_200; bytes += 9) {
      await keep("anything", { message: "x".repeat(bytes), cwd: workspace });
      expect(await origin()).toBe("own");
    }
  });

  it("is the session's own under a sessions directory that is reached by a link", async () => {
    await symlink(join(root, "sessions"), join(root, "link"));
    await keep("anything", { cwd: workspace });
    const linked = join(root, "link", "workspace");
    expect(await conversationOrigin(config, id, linked)).toBe("own");
    await rm(workspace, { recursive: true });
    await symlink("/elsewhere", workspace);
    await keep("anything", { cwd: "/elsewhere" });
    expect(await conversationOrigin(config, id, linked)).toBe("foreign");
  });

  it("that is a pipe is not waited for", async () => {
    const path = await keep("anything");
    await rm(path);
    execFileSync("mkfifo", [path]);
    expect(await origin()).toBe("untold");
  });
});

describe("the removal of a session's conversations", () => {
  it("takes each that is its own with all that belongs to it, and nothing else", async () => {
    const own = await keep(projectOf(workspace), { cwd: workspace });
    const more = own.replace(/\.jsonl$/, "");
    await mkdir(more);
    await writeFile(join(more, "subagent.jsonl"), "");
    const other = await keep("another", { cwd: "/elsewhere" });
    await mkdir(join(config, "session-env", id), { recursive: true });
    await removeConversations(config, [id, randomUUID(), ".."], workspace, new TreeRemovals());
    expect(await readdir(join(own, ".."))).toEqual([]);
    expect(await readdir(join(other, ".."))).toEqual([`${id}.jsonl`]);
    expect(await readdir(join(config, "session-env"))).toEqual([]);
  });
});
