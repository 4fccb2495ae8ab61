import { randomUUID } from "node:crypto";
import {
  chown,
  lstat,
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
import { describe, expect, it } from "vitest";
import { ClaudeRecords } from "../../src/agent/claude/claude-records.ts";
import { TreeRemovals } from "../../src/files/tree-removals.ts";

const isRoot = process.getuid?.() === 0;
const why = isRoot ? "" : " (not here: it takes root to run agents as another user)";
const USER = { uid: 65_534, gid: 65_534 };
const trees = new TreeRemovals();
const FILES = { "conversation.jsonl": "text\n", "subagents/agent-a.jsonl": "a\n" };

/** What the agent's user has of a server that is root's: where the CLI keeps conversations, and what is none of its own. */
interface UsersPlace extends AsyncDisposable {
  readonly root: string;
  readonly config: string;
  readonly workspace: string;
  /** Where the workspace's conversations are. */
  readonly project: string;
  readonly id: string;
  readonly records: ClaudeRecords;
  /** A file of root's. */
  readonly secret: string;
  /** A directory of root's. */
  readonly closed: string;
  /** Makes a directory of the user's, with all that lead to it below the configuration. */
  make(...names: string[]): Promise<void>;
}

async function makePlace(): Promise<UsersPlace> {
  const root = await mkdtemp(join(tmpdir(), "breakglass-users-"));
  const [config, closed, secret] = [join(root, "config"), join(root, "closed"), join(root, "s")];
  const workspace = join(root, "sessions", randomUUID());
  await mkdir(closed, { mode: 0o700 });
  await writeFile(secret, "secret\n", { mode: 0o600 });
  const name = workspace.replace(/[^a-zA-Z0-9]/g, "-");
  return {
    ...{ root, config, workspace, secret, closed, id: randomUUID() },
    project: join(config, "projects", name),
    records: new ClaudeRecords(config, trees, USER),
    async make(...names) {
      let path = config;
      for (const part of ["", ...names]) {
        path = join(path, part);
        await mkdir(path, { recursive: true, mode: 0o700 });
        await chown(path, USER.uid, USER.gid);
      }
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

async function restore({ records, id, workspace }: UsersPlace): Promise<void> {
  await using restoration = await records.restore(id, workspace);
  for (const [name, text] of Object.entries(FILES)) {
    await restoration.append(name, Buffer.from(text));
  }
  await restoration.finish();
}

/** Everything below a directory, and whose it is. */
async function ownersBelow(path: string): Promise<number[]> {
  const names = await readdir(path, { recursive: true });
  return Promise.all(names.map(async (name) => (await lstat(join(path, name))).uid));
}

describe.skipIf(!isRoot)(`an agent's record, where the agent has a user of its own${why}`, () => {
  it("is that user's when it is put back, with all that was made on the way", async () => {
    await using place = await makePlace();
    await restore(place);
    expect(new Set(await ownersBelow(place.config))).toEqual(new Set([USER.uid]));
    await using record = await place.records.open(place.id, place.workspace);
    expect(record.files.map(({ name }) => name)).toEqual(Object.keys(FILES));
  });

  it("is not read where a file or a directory in its place is somebody else's", async () => {
    await using place = await makePlace();
    const { id, project, records, secret, workspace } = place;
    await restore(place);
    // By a hard link: that it is root's is all that tells.
    await rename(secret, join(project, `${id}.jsonl`));
    await using record = await records.open(id, workspace);
    await expect(record.openFile("conversation.jsonl")).rejects.toThrow(
      "no file of the agent's own",
    );
    await chown(project, 0, 0);
    await using closed = await records.open(id, workspace);
    expect(closed.files).toEqual([]);
  });

  it.each(["projects", "a project"])(
    "is put into no directory of somebody else's in the place of %s",
    async (what) => {
      await using place = await makePlace();
      const { config, project, closed } = place;
      await place.make(...(what === "projects" ? [] : ["projects"]));
      await symlink(closed, what === "projects" ? join(config, "projects") : project);
      await expect(restore(place)).rejects.toThrow();
      expect(await readdir(closed)).toEqual([]);
      await rm(what === "projects" ? join(config, "projects") : project);
      await rename(closed, what === "projects" ? join(config, "projects") : project);
      await expect(restore(place)).rejects.toThrow(/not a directory of the agent's user/);
    },
  );

  it("gives nothing of root's away, whatever the user puts in its way while it is put back", async () => {
    await using place = await makePlace();
    const { records, id, workspace, project, secret } = place;
    await using restoration = await records.restore(id, workspace);
    for (const [name, text] of Object.entries(FILES)) {
      await restoration.append(name, Buffer.from(text));
    }
    const [staging] = await readdir(project);
    const held = await lstat(join(project, staging!));
    // Only root writes to it, and the user can at most move it away.
    expect([held.uid, held.mode & 0o777]).toEqual([0, 0o700]);
    await rename(join(project, staging!), join(project, "moved"));
    await mkdir(join(project, staging!));
    for (const name of ["conversation.jsonl", `${id}.restored`, "subagents"]) {
      await symlink(secret, join(project, staging!, name));
    }
    for (const name of [`${id}.jsonl`, `${id}.restored`, id]) {
      await symlink(secret, join(project, name));
    }
    await restoration.finish();
    expect((await lstat(secret)).uid).toBe(0);
    expect(await readFile(secret, "utf8")).toBe("secret\n");
    expect(await readFile(join(project, `${id}.jsonl`), "utf8")).toBe("text\n");
    expect((await lstat(join(project, `${id}.jsonl`))).uid).toBe(USER.uid);
  });
});
