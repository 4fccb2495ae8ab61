import { execFileSync } from "node:child_process";
import { chownSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { NEEDED, reservedDescriptors } from "../../src/descriptors.ts";
import { giveDescriptors, openDescriptors, takeDescriptors } from "../support/descriptor-limit.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";
import { tokenLine } from "../support/test-server.ts";
import { fill } from "./filled-server.ts";
import {
  AS_USER,
  idsOf,
  type LimitedServer,
  running,
  STUBBORN,
  startLimited,
  USER,
} from "./limited-server.ts";

/** So long after SIGKILL the stop gives a process up that it has seen live; one that it cannot look for it does not. */
const OUTLIVED_MS = 6000;
/** All the turns that a server runs at a time. */
const TURNS = 6;

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
    const lines = error?.message.trimEnd().split("\n") ?? [];
    // How agents are held together is said first.
    expect(lines.length).toBeLessThanOrEqual(2);
    expect(lines.at(-1)).toMatch(
      /breakglass: the limit of file descriptors is 100, but .* raise it to \d+ or more .*LimitNOFILE.*BREAKGLASS_MAX_CONCURRENT_TURNS \(16\).*$/,
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
