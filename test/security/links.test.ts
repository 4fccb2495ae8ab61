import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
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
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ErrorReason, type TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { agentsArgument } from "../../src/agent/claude/agent-definition.ts";
import { removeTree } from "../../src/files/remove-tree.ts";
import type { Attachment } from "../../src/turn-requests.ts";
import { placeAttachments, takeBackAttachments } from "../../src/turns/attachments.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const TURN = "01990000-0000-7000-8000-000000000001";
const FOLDER = `attachments-${TURN}`;

const file = (name: string, text = name): Attachment => ({
  name,
  mediaType: "text/plain",
  data: new TextEncoder().encode(text),
});

let root: string;
let workspace: string;
let elsewhere: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "breakglass-links-"));
  workspace = join(root, "workspace");
  elsewhere = join(root, "elsewhere");
  for (const folder of [workspace, elsewhere]) await mkdir(folder);
});

afterEach(() => rm(root, { recursive: true, force: true }));

/** Puts a link to elsewhere in the workspace's place and takes it away again, as fast as it can. */
async function startSwapping(path = workspace): Promise<ChildProcess> {
  const swap = `
    my ($w, $e) = @ARGV;
    symlink $e, "$w.link" or die $!;
    my $end = time + 60;
    while (time < $end) {
      rename $w, "$w.directory"; rename "$w.link", $w;
      rename $w, "$w.link"; rename "$w.directory", $w;
    }
  `;
  const child = spawn("perl", ["-e", swap, path, elsewhere], { stdio: "ignore" });
  const isLink = async () => (await lstat(path).catch(() => undefined))?.isSymbolicLink();
  expect(await eventually(isLink, Boolean)).toBe(true);
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await exited;
}

describe.each([
  ["whose process ended", "0"],
  ["whose process is kept", "8"],
])("a session %s and whose workspace is a link by now", (_how, warm) => {
  it("has nothing put where it leads, and nothing removed there", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_WARM_PROCESSES: warm });
    using connection = connect(server.url);
    const { client } = connection;
    await writeFile(join(elsewhere, "precious"), "kept");
    const swap = `bash cd .. && mv "$OLDPWD" "$OLDPWD.away" && ln -s ${elsewhere} "$OLDPWD"`;
    const [first] = await collect(client.runTurn({ prompt: swap }));
    const { sessionId } = first!;
    const attachments = [{ name: "secret.txt", mediaType: "text/plain", data: Buffer.from("x") }];
    const next = await collect(client.runTurn({ sessionId, prompt: "say hi", attachments }));
    expect(valuesOf(next, "error")[0]).toMatchObject({ reason: ErrorReason.AGENT_START_FAILED });
    expect(valuesOf(next, "text")).toEqual([]);
    expect(await readdir(elsewhere)).toEqual(["precious"]);
    await client.deleteSession({ sessionId });
    expect(await readFile(join(elsewhere, "precious"), "utf8")).toBe("kept");
    expect((await sessionsIn(server)).filter((name) => !name.endsWith(".away"))).toEqual([]);
  });
});

describe("a workspace that is swapped for a link all the time", () => {
  it("has no file put where the link leads", async () => {
    const swapping = await startSwapping();
    let placed = 0;
    try {
      for (let n = 0; n < 500; n++) {
        const turnId = `${TURN}-${n}`;
        const done = await placeAttachments(workspace, turnId, [file("a"), file("b")]).catch(
          () => undefined,
        );
        if (done !== undefined) placed++;
      }
    } finally {
      await stop(swapping);
    }
    expect(await readdir(elsewhere)).toEqual([]);
    expect(placed).toBeGreaterThan(0);
    expect(placed).toBeLessThan(500);
  });

  it("has no process started where the link leads", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    await writeFile(join(elsewhere, "foreign"), "");
    const [first] = await collect(client.runTurn({ prompt: "say hi" }));
    const { sessionId } = first!;
    const [name] = await sessionsIn(server);
    const swapping = await startSwapping(join(server.root, "data", "sessions", name!));
    const seen: TurnEvent[] = [];
    try {
      for (let n = 0; n < 12; n++) {
        seen.push(...(await collect(client.runTurn({ sessionId, prompt: "bash ls" }))));
      }
    } finally {
      await stop(swapping);
    }
    const listed = valuesOf(seen, "toolResult").map(({ content }) => content);
    expect(listed.length).toBeGreaterThan(0);
    expect(valuesOf(seen, "error").length).toBeGreaterThan(0);
    expect(listed.join()).not.toContain("foreign");
  });

  it("is removed without what the link leads to", async () => {
    for (let n = 0; n < 200; n++) {
      await mkdir(join(workspace, `${n}`));
      await writeFile(join(workspace, `${n}`, "inner"), "");
    }
    await writeFile(join(elsewhere, "precious"), "kept");
    // At each step of the removal another directory of it has become a link.
    const removal = removeTree(workspace, { sliceMs: -1, longestMs: 60_000 });
    let steps = 0;
    for (; !removal.next().done; steps++) {
      const names = await readdir(workspace).catch(() => []);
      const name = names[steps % Math.max(1, names.length)];
      if (name === undefined) continue;
      await rename(join(workspace, name), join(root, `away-${steps}`)).catch(() => {});
      await symlink(elsewhere, join(workspace, name)).catch(() => {});
    }
    expect(steps).toBeGreaterThan(50);
    expect(await readdir(elsewhere)).toEqual(["precious"]);
  });
});

describe("links in a workspace", () => {
  it("lead to no definition of the agent", async () => {
    const agents = join(elsewhere, "agents");
    await mkdir(agents);
    await writeFile(join(agents, "breakglass.md"), "---\nname: breakglass\n---\nMine.");
    const shipped = async () =>
      (await agentsArgument("breakglass", workspace, join(root, "config"), false)).agents;
    await mkdir(join(workspace, ".claude"));
    await symlink(agents, join(workspace, ".claude", "agents"));
    expect(await shipped()).toBeDefined();
    await rm(join(workspace, ".claude"), { recursive: true });
    await symlink(elsewhere, join(workspace, ".claude"));
    expect(await shipped()).toBeDefined();
    await rm(join(workspace, ".claude"));
    await rename(elsewhere, join(workspace, ".claude"));
    expect(await shipped()).toBeUndefined();
  });
});

describe("files of a turn that ends before it is run", () => {
  it("are not left half placed", async () => {
    const stopping = new AbortController();
    const second: Attachment = {
      ...file("b"),
      get data() {
        stopping.abort();
        return new Uint8Array(1);
      },
    };
    const sent = [file("a"), second, file("c")];
    const placing = placeAttachments(workspace, TURN, sent, stopping.signal);
    await expect(placing).rejects.toThrow();
    expect(await readdir(workspace)).toEqual([]);
  });

  it("are not left where one cannot be written, and nothing is removed by a link", async () => {
    await mkdir(join(elsewhere, FOLDER));
    await writeFile(join(elsewhere, FOLDER, "a"), "kept");
    const swapped: Attachment = {
      ...file("b"),
      get data(): Uint8Array {
        throw new Error("unreadable");
      },
    };
    await expect(placeAttachments(workspace, TURN, [file("a"), swapped])).rejects.toThrow();
    expect(await readdir(workspace)).toEqual([]);
    expect(await readFile(join(elsewhere, FOLDER, "a"), "utf8")).toBe("kept");
  });

  it("are taken back, and what the agent has put among them stays", async () => {
    const sent = [file("a"), file("b")];
    await placeAttachments(workspace, TURN, sent);
    await takeBackAttachments(workspace, TURN, sent);
    expect(await readdir(workspace)).toEqual([]);
    await placeAttachments(workspace, TURN, sent);
    await writeFile(join(workspace, FOLDER, "own"), "");
    await takeBackAttachments(workspace, TURN, sent);
    expect(await readdir(join(workspace, FOLDER))).toEqual(["own"]);
    await rm(join(workspace, FOLDER), { recursive: true });
    await symlink(elsewhere, join(workspace, FOLDER));
    await writeFile(join(elsewhere, "a"), "kept");
    await takeBackAttachments(workspace, TURN, sent);
    expect(await readdir(elsewhere)).toEqual(["a"]);
  });

  it("are not placed where the turn is canceled while it waits", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_WARM_PROCESSES: "8" });
    using connection = connect(server.url);
    const { client } = connection;
    const gate = createGate(server.root);
    const prompt = script("say hi", `background 1 ${gate.step} | say own`);
    const [first] = await collect(client.runTurn({ prompt }));
    const { sessionId } = first!;
    for await (const { change } of client.watchSession({ sessionId, afterCursor: 2n })) {
      if (change.case === "turnStarted") break;
    }
    const attachments = [{ name: "a.txt", mediaType: "text/plain", data: Buffer.from("x") }];
    await using waiting = new EventReader(
      client.runTurn({ sessionId, prompt: "say next", attachments }),
    );
    const { turnId } = await waiting.until("checkpoint");
    await client.cancelTurn({ turnId });
    gate.open();
    const [name] = await sessionsIn(server);
    expect(await readdir(join(server.root, "data", "sessions", name!))).toEqual([]);
  });
});

function sessionsIn(server: TestServer): Promise<string[]> {
  return readdir(join(server.root, "data", "sessions"));
}
