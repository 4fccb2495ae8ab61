import { randomUUID } from "node:crypto";
import {
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ClaudeRecords } from "../../../src/agent/claude/claude-records.ts";
import {
  conversationOrigin,
  removeConversations,
} from "../../../src/agent/claude/conversation-files.ts";
import type { OpenedRecord } from "../../../src/agent/conversation-records.ts";
import { TreeRemovals } from "../../../src/files/tree-removals.ts";

/** A machine's disk: where its CLI keeps conversations, and a workspace. */
interface Disk {
  readonly config: string;
  readonly workspace: string;
  /** The folder of the workspace's project. */
  readonly project: string;
  readonly records: ClaudeRecords;
}

const trees = new TreeRemovals();

async function withDisks(test: (one: Disk, other: Disk, id: string) => Promise<void>) {
  const root = await mkdtemp(join(tmpdir(), "breakglass-records-"));
  try {
    const [one, other] = [await makeDisk(root, "one"), await makeDisk(root, "other")];
    await test(one, other, randomUUID());
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function makeDisk(root: string, name: string): Promise<Disk> {
  const config = join(root, name, ".claude");
  const workspace = join(root, name, "sessions", randomUUID());
  const project = join(config, "projects", workspace.replace(/[^a-zA-Z0-9]/g, "-"));
  return { config, workspace, project, records: new ClaudeRecords(config, trees, undefined) };
}

const lineOf = (cwd: string, text = "hello") => `${JSON.stringify({ cwd, text })}\n`;

/** Writes a conversation as the CLI does. */
async function converse({ project, workspace }: Disk, id: string, more = ""): Promise<string> {
  await mkdir(join(project, id, "subagents"), { recursive: true });
  const text = lineOf(workspace) + more;
  await writeFile(join(project, `${id}.jsonl`), text);
  return text;
}

async function contents(record: OpenedRecord): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { name } of record.files) {
    await using file = await record.openFile(name);
    found[name] = Buffer.from(await file.read(0, file.bytes)).toString();
  }
  return found;
}

async function readOf({ records, workspace }: Disk, id: string): Promise<Record<string, string>> {
  await using record = await records.open(id, workspace);
  return await contents(record);
}

async function restore(disk: Disk, id: string, files: Record<string, string>): Promise<void> {
  await using restoration = await disk.records.restore(id, disk.workspace);
  for (const [name, text] of Object.entries(files)) {
    for (const piece of [text.slice(0, 5), text.slice(5)]) {
      await restoration.append(name, Buffer.from(piece));
    }
  }
  await restoration.finish();
}

it("a record is what the CLI has of a conversation and its subagents, and is put back elsewhere to the byte", () =>
  withDisks(async (one, other, id) => {
    const text = await converse(one, id, lineOf("/elsewhere", "次"));
    const beside = join(one.project, id);
    await writeFile(join(beside, "subagents", "agent-a.jsonl"), "a\n");
    await writeFile(join(beside, "subagents", "agent-a.meta.json"), "{}");
    await mkdir(join(beside, "tool-results"));
    await writeFile(join(beside, "tool-results", "x.txt"), "large");
    const record = await readOf(one, id);
    expect(record).toEqual({
      "conversation.jsonl": text,
      "subagents/agent-a.jsonl": "a\n",
      "subagents/agent-a.meta.json": "{}",
    });

    await restore(other, id, record);
    expect(await readOf(other, id)).toEqual(record);
    expect(await readFile(join(other.project, `${id}.jsonl`), "utf8")).toBe(text);
    const names = await readdir(other.project);
    expect(names.sort()).toEqual([id, `${id}.jsonl`, `${id}.restored`].sort());
  }));

it("a record that was put back is the workspace's own, and not of the one that it was begun in", () =>
  withDisks(async (one, other, id) => {
    await converse(one, id);
    await restore(other, id, await readOf(one, id));
    const origin = (workspace: string) => conversationOrigin(other.config, id, workspace);
    expect(await origin(other.workspace)).toBe("own");
    expect(await origin(one.workspace)).toBe("foreign");
    // What removes an older workspace's leaves it, and what removes its own leaves nothing of it.
    await removeConversations(other.config, [id], one.workspace, trees);
    expect(await origin(other.workspace)).toBe("own");
    await removeConversations(other.config, [id], other.workspace, trees);
    expect(await readdir(other.project)).toEqual([]);
  }));

it("a line that is being written is left to the next time", () =>
  withDisks(async (one, _other, id) => {
    const text = await converse(one, id);
    await writeFile(join(one.project, `${id}.jsonl`), `${text}${"x".repeat(200_000)}`);
    expect(await readOf(one, id)).toEqual({ "conversation.jsonl": text });
    await writeFile(join(one.project, `${id}.jsonl`), "no line at all");
    expect(await readOf(one, id)).toEqual({ "conversation.jsonl": "" });
  }));

it("a record that is not finished leaves nothing, and one that is takes the place of all that was there", () =>
  withDisks(async (one, _other, id) => {
    const text = await converse(one, id);
    await writeFile(join(one.project, id, "subagents", "agent-old.jsonl"), "old\n");
    {
      await using restoration = await one.records.restore(id, one.workspace);
      await restoration.append("conversation.jsonl", Buffer.from("half\n"));
    }
    expect(await readdir(one.project)).toEqual([id, `${id}.jsonl`].sort());
    expect((await readOf(one, id))["conversation.jsonl"]).toBe(text);
    await restore(one, id, {
      "conversation.jsonl": "whole\n",
      "subagents/agent-new.jsonl": "new\n",
    });
    expect(await readOf(one, id)).toEqual({
      "conversation.jsonl": "whole\n",
      "subagents/agent-new.jsonl": "new\n",
    });
  }));

it("neither a link nor a pipe in the place of a file or a directory is read, nor another workspace's conversation", () =>
  withDisks(async (one, other, id) => {
    await converse(one, id);
    await mkdir(other.project, { recursive: true });
    const secret = join(other.project, "secret");
    await writeFile(secret, "secret\n");
    const subagents = join(one.project, id, "subagents");
    await symlink(secret, join(subagents, "agent-link.jsonl"));
    await mkdir(join(subagents, "agent-directory.jsonl"));
    expect(Object.keys(await readOf(one, id))).toEqual(["conversation.jsonl"]);
    {
      // Also where it comes there when it has been looked at.
      await using record = await one.records.open(id, one.workspace);
      await rename(join(one.project, `${id}.jsonl`), join(one.project, "aside"));
      await symlink(secret, join(one.project, `${id}.jsonl`));
      await expect(record.openFile("conversation.jsonl")).rejects.toThrow("ELOOP");
      await rename(join(one.project, "aside"), join(one.project, `${id}.jsonl`));
    }
    await rm(subagents, { recursive: true });
    await symlink(other.project, subagents);
    expect(Object.keys(await readOf(one, id))).toEqual(["conversation.jsonl"]);
    await rm(join(one.project, `${id}.jsonl`));
    await symlink(secret, join(one.project, `${id}.jsonl`));
    expect(await readOf(one, id)).toEqual({});
    expect(await readOf({ ...other, records: one.records }, id)).toEqual({});
  }));

it("what is put back goes through no link that lies in its way", () =>
  withDisks(async (one, other, id) => {
    await mkdir(join(one.config, "projects"), { recursive: true });
    await mkdir(other.project, { recursive: true });
    await symlink(other.project, one.project);
    const files = { "conversation.jsonl": "text\n" };
    await expect(restore(one, id, files)).rejects.toThrow();
    expect(await readdir(other.project)).toEqual([]);

    await rm(one.project);
    await mkdir(one.project);
    await writeFile(join(other.project, "mine"), "mine");
    for (const name of [`${id}.jsonl`, `${id}.restored`]) {
      await symlink(join(other.project, "mine"), join(one.project, name));
    }
    await symlink(other.project, join(one.project, id));
    await restore(one, id, { ...files, "subagents/agent-a.jsonl": "a\n" });
    expect(await readFile(join(other.project, "mine"), "utf8")).toBe("mine");
    expect(await readdir(other.project)).toEqual(["mine"]);
    expect(await readOf(one, id)).toEqual({ ...files, "subagents/agent-a.jsonl": "a\n" });
  }));

it.each(["../up.jsonl", "subagents/../../up", "subagents/a/b", "/tmp/x", "", "subagents/.x"])(
  "nothing is put back under the name %j",
  (name) =>
    withDisks(async (_one, other, id) => {
      await using restoration = await other.records.restore(id, other.workspace);
      await expect(restoration.append(name, Buffer.from("x"))).rejects.toThrow("no file of");
      await expect(restoration.finish()).rejects.toThrow("no conversation");
    }),
);

it("a file that becomes shorter while it is read is told of, and one that grows is read as it was", () =>
  withDisks(async (one, _other, id) => {
    const text = await converse(one, id, lineOf("/x"));
    await using record = await one.records.open(id, one.workspace);
    await using file = await record.openFile("conversation.jsonl");
    const path = join(one.project, `${id}.jsonl`);
    await writeFile(path, `${text}more\n`);
    expect(Buffer.from(await file.read(0, 1_000_000)).toString()).toBe(text);
    await writeFile(path, "short\n");
    await expect(file.read(0, 1_000_000)).rejects.toThrow("became shorter");
    await link(path, `${path}.copy`);
    await expect(record.openFile("no such")).rejects.toThrow();
  }));
