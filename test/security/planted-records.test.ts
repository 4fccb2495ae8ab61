import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { removeConversations } from "../../src/agent/claude/conversation-files.ts";
import { TreeRemovals } from "../../src/files/tree-removals.ts";
import { collect, valuesOf } from "../support/events.ts";
import { openClient } from "../support/operator.ts";
import { startTestServer } from "../support/test-server.ts";

const isRoot = process.getuid?.() === 0;
const why = isRoot ? "" : " (not here: it takes root to run agents as another user)";
const AGENT = { uid: 65_534, gid: 65_534 };

let folder: string;
let config: string;
/** Root's own, which looks as what the agent's record would. */
let precious: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-planted-"));
  await chmod(folder, 0o711);
  config = join(folder, "claude");
  precious = join(folder, "precious");
  await mkdir(precious);
  await give(config);
});
afterEach(() => rm(folder, { recursive: true }));

async function give(...directories: string[]): Promise<void> {
  for (const directory of directories) {
    await mkdir(directory, { recursive: true });
    await chown(directory, AGENT.uid, AGENT.gid);
  }
}

/** Puts what is to stay under a directory, by the names that a conversation's record has. */
async function fill(directory: string, id: string): Promise<void> {
  await mkdir(join(directory, id), { recursive: true });
  await writeFile(join(directory, id, "kept"), "");
  await writeFile(join(directory, `${id}.jsonl`), "{}\n");
}

const filled = (id: string) => [id, `${id}.jsonl`].toSorted();

async function startServer() {
  return startTestServer({
    BREAKGLASS_AGENT_USER: "nobody",
    BREAKGLASS_DATA_DIR: join(folder, "data"),
    BREAKGLASS_MAX_WARM_PROCESSES: "0",
    CLAUDE_CONFIG_DIR: config,
    NODE_DISABLE_COMPILE_CACHE: "1",
  });
}

/** Runs the agent's own command in a session. */
async function run(url: string, command: string, sessionId = "", mode?: PermissionMode) {
  using open = openClient(url);
  const prompt = `bash ${command}\nresult`;
  const permissionMode = mode ?? PermissionMode.UNSPECIFIED;
  const events = await collect(open.client.runTurn({ prompt, sessionId, permissionMode }));
  const [output] = valuesOf(events, "toolResult");
  const [error] = valuesOf(events, "error");
  return { sessionId: events[0]!.sessionId, output: output?.content.trim() ?? "", error };
}

const FIND = "cd $CLAUDE_CONFIG_DIR && ls projects && ls projects/* | sed -n 's/.jsonl$//p'";

describe.skipIf(!isRoot)(`an agent of its own user that plants links${why}`, () => {
  it.each([
    ["its projects", "mv projects away && ln -s ../precious projects", "project"],
    ["a project's folder", "mv projects/P projects/away && ln -s ../../precious projects/P", ""],
    ["a folder beside its own", "ln -s ../../precious projects/another", ""],
  ])("in the place of %s has nothing removed there", async (_place, plant, below) => {
    await using server = await startServer();
    const { sessionId, output } = await run(server.url, FIND);
    const [project = "", id = ""] = output.split("\n");
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    const directory = join(precious, below);
    await fill(directory, id);
    await run(server.url, `cd $CLAUDE_CONFIG_DIR && ${plant.replaceAll("P", project)}`, sessionId);
    using open = openClient(server.url);
    await open.client.deleteSession({ sessionId });
    expect((await readdir(directory)).toSorted()).toEqual(filled(id));
    expect(await readdir(join(directory, id))).toEqual(["kept"]);
  });

  it("in the place of what its shell would read has nothing removed there, and is not started", async () => {
    await using server = await startServer();
    const { sessionId, output } = await run(server.url, FIND);
    const id = output.split("\n")[1]!;
    await fill(precious, id);
    await run(server.url, "ln -s ../precious $CLAUDE_CONFIG_DIR/session-env", sessionId);
    const { error } = await run(server.url, "true", sessionId, PermissionMode.ASK);
    expect(error).toMatchObject({ reason: ErrorReason.AGENT_START_FAILED });
    expect(error?.message).toContain("is not a directory of the agent's user");
    using open = openClient(server.url);
    await open.client.deleteSession({ sessionId });
    expect(await readdir(join(precious, id))).toEqual(["kept"]);
  });

  it("to what is its own has that removed: an operator may have laid it there", async () => {
    await using server = await startServer();
    const { sessionId, output } = await run(server.url, FIND);
    const id = output.split("\n")[1]!;
    const elsewhere = join(folder, "elsewhere");
    await give(elsewhere);
    const move = `cd $CLAUDE_CONFIG_DIR && mv projects ${elsewhere} && ln -s ${elsewhere}/projects projects`;
    await run(server.url, move, sessionId);
    using open = openClient(server.url);
    await open.client.deleteSession({ sessionId });
    const names = await readdir(elsewhere, { recursive: true });
    expect(names.filter((name) => name.includes(id))).toEqual([]);
    expect(names).not.toEqual([]);
  });
});

describe.skipIf(!isRoot)(`a record's place that is swapped for a link all the time${why}`, () => {
  it.each([
    ["projects", ["projects"], "project"],
    ["a project's folder", ["projects", "project"], ""],
    ["session-env", ["session-env"], ""],
  ])("has nothing removed where the link leads: %s", async (_what, names, below) => {
    const id = randomUUID();
    const place = join(config, ...names);
    await give(join(config, "projects"), place, join(place, below));
    await fill(join(precious, below), id);
    const swapping = startSwapping(place, precious);
    let removed = 0;
    try {
      const trees = new TreeRemovals();
      for (let n = 0; n < 400; n++) {
        const own = join(place, below, `${id}.jsonl`);
        await writeFile(own, "{}\n", { flag: "wx" }).then(
          () => removed++,
          () => {},
        );
        await removeConversations(config, [id], join(folder, "workspace"), trees, AGENT).catch(
          () => {},
        );
        expect((await readdir(join(precious, below))).toSorted()).toEqual(filled(id));
        expect(await readdir(join(precious, below, id))).toEqual(["kept"]);
      }
    } finally {
      await stop(swapping);
    }
    if (!names.includes("session-env")) expect(removed).toBeGreaterThan(1);
  });
});

/** Puts a link in a directory's place and takes it away again, as fast as it can. */
function startSwapping(path: string, to: string): ChildProcess {
  const swap = `
    my ($w, $e) = @ARGV;
    symlink $e, "$w.link" or die $!;
    while (1) {
      rename $w, "$w.directory"; rename "$w.link", $w;
      rename $w, "$w.link"; rename "$w.directory", $w;
    }
  `;
  return spawn("perl", ["-e", swap, path, to], { stdio: "ignore", ...AGENT });
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await exited;
}
