import { execFile, execFileSync } from "node:child_process";
import { chownSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { BreakglassClient } from "#client";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { NEEDED, reservedDescriptors } from "../../src/descriptors.ts";
import { giveDescriptors, openDescriptors, takeDescriptors } from "../support/descriptor-limit.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";
import { tokenLine } from "../support/test-server.ts";
import { fill } from "./filled-server.ts";

const run = promisify(execFile);

const DEAF = 'trap "" TERM INT HUP; while :; do sleep 1; done';
/** An agent that heeds nothing, with a child in a session of its own that heeds nothing either. */
const STUBBORN = script("ignore", `detach ${DEAF}`, "pid", "hang");

/** So long after SIGKILL the stop gives a process up that it has seen live; one that it cannot look for it does not. */
const OUTLIVED_MS = 6000;
/** A user that nothing else runs as. */
const USER = 61234;
/** Root's processes have no limit, and cgroups of their own. */
const AS_USER =
  process.getuid?.() === 0
    ? ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"]
    : [];
/** All the turns that a server runs at a time. */
const TURNS = 6;

/** A server in a process of its own at a limit of descriptors. */
interface LimitedServer extends AsyncDisposable {
  readonly server: ServeProcess;
  readonly root: string;
  /** The lines of its log. */
  log(): Record<string, unknown>[];
  /** What its agents run. */
  processes(): number[];
}

async function startLimited(
  limit: number | "as it is",
  settings: Readonly<Record<string, string>> = {},
  asUser: readonly string[] = [],
): Promise<LimitedServer> {
  await using cleanup = new AsyncDisposableStack();
  const { root, variables } = cleanup.use(await createTestEnvironment(settings));
  const log = join(root, "log");
  if (asUser.length > 0) chownSync(root, USER, USER);
  const lower = limit === "as it is" ? "" : `ulimit -n ${limit}; `;
  const prefix = [...asUser, "sh", "-c", `${lower}exec "$@" 2>>"$0"`, log];
  const server = cleanup.use(await startServeProcess(variables, prefix));
  const owned = cleanup.move();
  return {
    server,
    root,
    log: () =>
      readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line)),
    processes: () => processesWith(MARKER, variables[MARKER]!).filter((pid) => pid !== server.pid),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The ids of a turn that is read, for calls about it or its session. */
function idsOf({ seen }: EventReader): { turnId: string; sessionId: string } {
  const { turnId, sessionId } = seen.at(-1)!;
  return { turnId, sessionId };
}

/** Runs a turn up to its first text. */
async function running(client: BreakglassClient, prompt: string): Promise<EventReader> {
  const reader = new EventReader(client.runTurn({ prompt }));
  await reader.until("text");
  return reader;
}

/** A look at the process table holds one for a moment. */
function expectAbout(found: number, expected: number): void {
  expect(found).toBeGreaterThanOrEqual(expected - 1);
  expect(found).toBeLessThanOrEqual(expected + 1);
}

describe.concurrent("the limit of file descriptors", () => {
  it("bounds the connections, and one line says what was asked for, what is in force and what to raise", async () => {
    await using limited = await startLimited(450);
    const line = limited.log().find(({ message }) => String(message).startsWith("connections are"));
    expect(line).toMatchObject({ level: "warn", asked: 16384, limit: 450 });
    expect(Number(line!.connections) + Number(line!.reserved)).toBe(450);
    expect(line!.raise).toMatch(
      new RegExp(`${16384 + Number(line!.reserved)}.*LimitNOFILE.*ulimit`),
    );
  });

  it("that leaves no room to serve stops the start with one line that says what to mend", async () => {
    await using environment = await createTestEnvironment();
    const prefix = ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh"];
    const error = await startServeProcess(environment.variables, prefix).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).toMatch(
      /^serve did not come up: breakglass: the limit of file descriptors is 100, but .* raise it to \d+ or more .*LimitNOFILE.*BREAKGLASS_MAX_CONCURRENT_TURNS \(16\).*\n$/,
    );
  });

  it("is divided by what the parts of a running server really hold", async () => {
    await using limited = await startLimited("as it is", {
      BREAKGLASS_MAX_WARM_PROCESSES: "8",
      BREAKGLASS_SPARE_PROCESSES: "0",
    });
    const { pid, url } = limited.server;
    const line = limited.log().find(({ message }) => /^connections are/.test(String(message)));
    const processes = { maxConcurrentTurns: 16, maxWarmProcesses: 8, spareProcesses: 0 };
    const before = Number(line!.reserved) - reservedDescriptors(processes);
    const idle = openDescriptors(pid);
    expect(idle).toBeGreaterThan(before);
    expect(idle).toBeLessThanOrEqual(before + NEEDED.store + NEEDED.threads + NEEDED.listening);
    using connection = connect(url);
    await connection.client.listSessions({});
    const connected = openDescriptors(pid);
    const readers: EventReader[] = [];
    for (let turn = 0; turn < 3; turn++)
      readers.push(await running(connection.client, "say up\nhang"));
    expectAbout(openDescriptors(pid), connected + 3 * NEEDED.turn);
    const kept = await collect(connection.client.runTurn({ prompt: "say kept" }));
    expect(valuesOf(kept, "result")).toHaveLength(1);
    expectAbout(openDescriptors(pid), connected + 3 * NEEDED.turn + NEEDED.idleProcess);
    for (const reader of readers) await reader[Symbol.asyncDispose]();
  });
});

describe.concurrent("connections up to the limit of descriptors and beyond", () => {
  /** Little more than turns and the server need. */
  const limit = 290;

  it("take nothing from turns: all are served, and it ends in peace", {
    timeout: 120_000,
  }, async () => {
    const token = "operator-token";
    await using environment = await createTestEnvironment();
    const tokens = join(environment.root, "tokens");
    await writeFile(tokens, tokenLine(token, "alice"), { mode: 0o600 });
    await using limited = await startLimited(limit, {
      BREAKGLASS_TOKENS_FILE: tokens,
      BREAKGLASS_MAX_CONCURRENT_TURNS: String(TURNS),
    });
    const { server } = limited;
    const headers = { authorization: `Bearer ${token}` };
    using connection = connect(server.url, headers);
    const { client } = connection;
    await using first = await running(client, STUBBORN);
    using _flood = await fill(server.url, limit, headers);
    const starts = Array.from({ length: TURNS - 1 }, () => running(client, STUBBORN));
    const [second, third] = await Promise.all(starts);
    expect(openDescriptors(server.pid)).toBeLessThan(limit);
    await client.cancelTurn(idsOf(first));
    const attachments = [1, 2, 3].map((n) => ({
      name: `${n}.log`,
      mediaType: "text/plain",
      data: Buffer.from("log"),
    }));
    const sent = await collect(client.runTurn({ prompt: "received", attachments }));
    expect(valuesOf(sent, "result")).toHaveLength(1);
    const heeding = await running(client, script("say ready", "wait /nowhere"));
    const interrupted = await client.interruptTurn(idsOf(heeding));
    expect(interrupted.turn?.state).toBe(TurnState.CANCELED);
    const canceled = await client.cancelTurn(idsOf(second!));
    expect(canceled.turn?.state).toBe(TurnState.CANCELED);
    await client.deleteSession(idsOf(second!));
    await new EventReader(client.attachTurn(idsOf(third!))).until("text");
    expect(await server.end("SIGTERM")).toBe(0);
    expect(limited.processes()).toEqual([]);
    const wrong = limited.log().filter(({ level }) => level === "error");
    expect(wrong).toEqual([]);
  });
});

/** Resolves when the agent itself is gone, as it can be blindly; what it left in a session of its own is still there. */
async function killedBlindly({ processes }: LimitedServer, { seen }: EventReader): Promise<void> {
  const leader = Number(/^pid (\d+)$/.exec(valuesOf(seen, "text")[0]!.text)![1]);
  const left = await eventually(processes, (pids) => !pids.includes(leader), 20_000);
  expect(left).not.toContain(leader);
  expect(left.length).toBeGreaterThan(0);
}

describe.concurrent("a server whose file descriptors are used up behind its reserve", () => {
  it("refuses in words, stops nothing half, and recovers whole", { timeout: 120_000 }, async () => {
    await using limited = await startLimited("as it is", { BREAKGLASS_DRAIN_SECONDS: "1" });
    const { server, root } = limited;
    using connection = connect(server.url);
    const { client } = connection;
    await using stubborn = await running(client, STUBBORN);
    const { turnId, sessionId } = idsOf(stubborn);
    await using old = await running(client, script("say old", "hang"));
    const [{ agentSessionId } = { agentSessionId: "" }] = valuesOf(old.seen, "session");
    // Answers once its processes are gone: deleting its session waits for none.
    await client.cancelTurn(idsOf(old));
    await eventually(limited.processes, (pids) => pids.length === 3);
    const workspaces = () => readdirSync(join(root, "data", "sessions"));
    const before = workspaces().length;

    takeDescriptors(server.pid);
    const refused = await collect(client.runTurn({ prompt: "say new" }));
    const [error] = valuesOf(refused, "error");
    expect(error?.reason).toBe(ErrorReason.AGENT_START_FAILED);
    expect(error?.message).toContain("the server is out of file descriptors (EMFILE)");
    const withFile = { name: "a.log", mediaType: "text/plain", data: new Uint8Array(3) };
    const unplaced = await collect(client.runTurn({ prompt: "say x", attachments: [withFile] }));
    expect(valuesOf(unplaced, "error")[0]).toMatchObject({
      reason: ErrorReason.AGENT_START_FAILED,
      message: expect.stringContaining("the server is out of file descriptors (EMFILE)"),
    });
    const unplacedSession = unplaced.at(-1)!.sessionId;
    await client.deleteSession(idsOf(old));
    const canceled = client.cancelTurn({ turnId });
    await killedBlindly(limited, stubborn);
    await eventually(limited.log, (lines) => lines.some(({ failure }) => failure !== undefined));
    const over = await Promise.race([canceled.then(() => "over"), delay(OUTLIVED_MS, "waits")]);
    expect(over).toBe("waits");

    giveDescriptors(server.pid);
    expect((await canceled).turn?.state).toBe(TurnState.CANCELED);
    expect(limited.processes()).toEqual([]);
    const next = await collect(client.runTurn({ sessionId, prompt: "say next" }));
    expect(valuesOf(next, "result")).toHaveLength(1);
    const retried = { sessionId: unplacedSession, prompt: "received", attachments: [withFile] };
    expect(valuesOf(await collect(client.runTurn(retried)), "result")).toHaveLength(1);
    // The deleted session's is gone, the two that were opened meanwhile are there.
    expect(
      await eventually(
        () => workspaces().length,
        (n) => n === before + 1,
      ),
    ).toBe(before + 1);
    expect(existsSync(join(root, ".claude/projects/scripted", `${agentSessionId}.jsonl`))).toBe(
      false,
    );
    using fresh = connect(server.url);
    expect((await fresh.client.listSessions({})).sessions.length).toBeGreaterThan(0);
    expect(await server.end("SIGTERM")).toBe(0);
    expect(limited.log().filter(({ message }) => /defect/.test(String(message)))).toEqual([]);
  });

  it("and without cgroups ends in peace by SIGTERM as soon as it can look for its processes", async () => {
    await using limited = await startLimited("as it is", {}, AS_USER);
    const { server } = limited;
    using connection = connect(server.url);
    await using stubborn = await running(connection.client, STUBBORN);
    takeDescriptors(server.pid, AS_USER);
    const exited = server.end("SIGTERM");
    await eventually(limited.log, (lines) => lines.some(({ failure }) => failure !== undefined));
    await killedBlindly(limited, stubborn);
    giveDescriptors(server.pid, AS_USER);
    expect(await exited).toBe(0);
    expect(limited.processes()).toEqual([]);
  }, 120_000);
});

describe.concurrent("a server at its user's limit of processes", () => {
  it("refuses a turn in words, and ends those that run all the same", async () => {
    await using environment = await createTestEnvironment();
    const { root, variables } = environment;
    if (AS_USER.length > 0) chownSync(root, USER, USER);
    await using server = await startServeProcess(variables, AS_USER);
    const setLimit = (processes: string) => {
      const [command, ...args] = [...AS_USER, "prlimit", `--pid=${server.pid}`];
      execFileSync(command!, [...args, `--nproc=${processes}:`]);
    };
    const limits = readFileSync(`/proc/${server.pid}/limits`, "utf8");
    const before = /^Max processes\s+(\d+|unlimited)/m.exec(limits)![1]!;
    using connection = connect(server.url);
    const { client } = connection;
    await using stubborn = await running(client, STUBBORN);
    setLimit("1");
    const refused = await collect(client.runTurn({ prompt: "say new" }));
    const [error] = valuesOf(refused, "error");
    expect(error?.reason).toBe(ErrorReason.AGENT_START_FAILED);
    expect(error?.message).toMatch(/has as many processes as it may \(EAGAIN\)/);
    const canceled = await client.cancelTurn(idsOf(stubborn));
    expect(canceled.turn?.state).toBe(TurnState.CANCELED);
    const agents = processesWith(MARKER, variables[MARKER]!).filter((pid) => pid !== server.pid);
    expect(agents).toEqual([]);
    setLimit(before);
    const next = await collect(client.runTurn({ prompt: "say new" }));
    expect(valuesOf(next, "result")).toHaveLength(1);
    expect(await server.end("SIGTERM")).toBe(0);
  });
});

/**
 * Runs a program that has files of src as one `module`, a directory as `root` and no descriptor left, and answers what it
 * printed.
 */
async function runWithoutDescriptors(files: readonly string[], code: string): Promise<string> {
  await using environment = await createTestEnvironment();
  const urls = files.map((file) => new URL(`../../src/${file}`, import.meta.url).href);
  const program = `
    import { closeSync, existsSync, mkdirSync, openSync, readdirSync } from "node:fs";
    ${urls.map((url, index) => `import * as module${index} from ${JSON.stringify(url)};`).join("\n")}
    const module = { ${urls.map((_, index) => `...module${index}`).join()} };
    const root = ${JSON.stringify(environment.root)};
    const ID = "01990000-0000-4000-8000-000000000001";
    const held = [];
    try { for (;;) held.push(openSync("/dev/null")); } catch {}
    ${code}`;
  const node = [process.execPath, "--input-type=module", "-e", program];
  const { stdout } = await run("sh", ["-c", 'ulimit -n 64; exec "$@"', "sh", ...node]);
  return stdout;
}

describe.concurrent("what cannot be opened for want of descriptors", () => {
  it("is not taken for missing", async () => {
    const calls = {
      "a process": "readProcess(1)",
      "the newest process": "newestProcess()",
      "a mark": "readEnvironmentVariable(process.pid, 'HOME')",
      "a cgroup's state": "isPopulated('/sys')",
      "a cgroup's processes": "cgroupProcesses('/sys')",
      "the cgroups of agents": "findCgroups()",
      "an agent definition": "agentsArgument('breakglass', root, root, false)",
      "a conversation": "conversationOrigin(root, ID, root)",
      "a conversation to be removed": "removeConversations(root, [ID], root, undefined)",
    };
    const files = [
      ...["agent/process/process-table.ts", "agent/process/cgroup.ts"],
      ...["agent/claude/agent-definition.ts", "agent/claude/config-directory.ts"],
    ];
    const printed = await runWithoutDescriptors(
      files,
      Object.values(calls)
        .map((call) => `await (async () => module.${call})().then(String, ({ code }) => code)`)
        .map((code) => `console.log(${code});`)
        .join("\n"),
    );
    const found = printed.trimEnd().split("\n");
    const named = Object.keys(calls).map((what, index) => [what, found[index]]);
    expect(named).toEqual(Object.keys(calls).map((what) => [what, "EMFILE"]));
  });
});

describe.concurrent("what was begun and lacks descriptors to be gone on with", () => {
  it.each([
    ["not even for the folder", 0],
    ["for the folder alone", 1],
  ])("leaves no attachments behind, where there is a descriptor %s", async (_what, free) => {
    const stdout = await runWithoutDescriptors(
      ["turns/attachments.ts"],
      `for (let n = 0; n < ${free}; n++) closeSync(held.pop());
       const files = ["a", "b"].map((name) => ({ name, mediaType: "text/plain", data: Buffer.from(name) }));
       const placed = module.placeAttachments(root, "turn", files);
       console.log(await placed.then(String, ({ message }) => message));
       for (const descriptor of held) closeSync(descriptor);
       console.log(readdirSync(root).length);`,
    );
    expect(stdout).toBe("the server is out of file descriptors (EMFILE)\n0\n");
  });

  it("leaves no cgroup behind", async () => {
    const stdout = await runWithoutDescriptors(
      ["agent/process/cgroup.ts"],
      `mkdirSync(root + "/group");
       await module.removeCgroup(root + "/group");
       console.log(existsSync(root + "/group"));`,
    );
    expect(stdout).toBe("false\n");
  });
});

describe.concurrent("a process that cannot be started for want of descriptors", () => {
  it("ends with that error, and throws nothing", async () => {
    const stdout = await runWithoutDescriptors(
      ["agent/process/piped-process.ts"],
      `const cli = new module.PipedProcess("true", [], { cwd: "/", env: {}, cgroup: undefined });
       cli.write("line"); cli.pause(); cli.resume(); cli.endInput();
       await cli.read(() => {});
       console.log(cli.pid, cli.isUp, (await cli.exit).startError.code);`,
    );
    expect(stdout).toBe("undefined false EMFILE\n");
  });
});

describe.concurrent("workspaces that are removed all at once", () => {
  it("hold no more descriptors than are kept for them, however many and however deep", async () => {
    await using environment = await createTestEnvironment();
    const module = new URL("../../src/files/tree-removals.ts", import.meta.url);
    const program = `
      import { linkSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
      const { TreeRemovals } = await import(${JSON.stringify(module.href)});
      const names = Array.from({ length: 12 }, (_, n) => ${JSON.stringify(environment.root)} + "/w" + n);
      for (const name of names) {
        const deepest = name + "/d".repeat(15);
        mkdirSync(deepest, { recursive: true });
        writeFileSync(deepest + "/first", "");
        for (let n = 0; n < 1500; n++) linkSync(deepest + "/first", deepest + "/" + n);
      }
      const trees = new TreeRemovals();
      await trees.remove(names[0]);
      const open = () => readdirSync("/proc/self/fd").length;
      const before = open();
      let most = 0;
      setInterval(() => { most = Math.max(most, open()); }, 1);
      const left = await Promise.all(names.map((name) => trees.remove(name)));
      console.log(most - before, left.reduce((sum, { count }) => sum + count, 0));
      process.exit();`;
    const file = join(environment.root, "program.ts");
    await writeFile(file, program);
    const { stdout } = await run(process.execPath, [file]);
    const [held, left] = stdout.trim().split(" ").map(Number);
    expect(left).toBe(0);
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(NEEDED.removing);
  }, 60_000);
});

describe.concurrent("a defect that nothing caught", () => {
  it.each([
    ["an exception", "throw new Error('thrown on purpose')"],
    ["a rejection", "void Promise.reject(new Error('thrown on purpose'))"],
  ])(
    "that is %s is logged whole and ends the server with what its turns run",
    async (_what, deed) => {
      const preload = `process.on("SIGUSR2",()=>{${deed}})`;
      const url = `data:text/javascript,${encodeURIComponent(preload).replaceAll("'", "%27")}`;
      await using limited = await startLimited("as it is", { NODE_OPTIONS: `--import=${url}` });
      const { server } = limited;
      using connection = connect(server.url);
      await using _reader = await running(
        connection.client,
        script("ignore", `child ${DEAF}`, "say up", "hang"),
      );
      expect(limited.processes().length).toBeGreaterThanOrEqual(2);
      expect(await server.end("SIGUSR2")).toBe(70);
      expect(await eventually(limited.processes, (pids) => pids.length === 0)).toEqual([]);
      const line = limited.log().find(({ message }) => message === "the server ends by a defect");
      expect(line).toMatchObject({
        level: "error",
        error: { message: "thrown on purpose", stack: expect.stringContaining("at ") },
      });
    },
  );
});
