import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { NODE_FLAGS, PROGRAM } from "../support/program.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { agentsOf, endedAtLast, startServe } from "./told-server.ts";

/** Signals by which a server is asked for nothing. */
const IGNORED =
  "SIGUSR1 SIGUSR2 SIGALRM SIGVTALRM SIGPROF SIGIO SIGSTKFLT SIGPIPE SIGXFSZ SIGHUP".split(
    " ",
  ) as NodeJS.Signals[];

/** The ports that a process listens on. */
function listeningPorts(pid: number): number[] {
  const inodes = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    } catch {
      return undefined;
    }
  });
  const lines = ["tcp", "tcp6"].flatMap((name) =>
    readFileSync(`/proc/net/${name}`, "utf8").split("\n"),
  );
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === "0A" && inodes.includes(inode))
    .map(([, local]) => Number.parseInt(local!.split(":")[1]!, 16));
}

describe.concurrent("a signal that asks a server for nothing", () => {
  it("ends neither it nor a turn: each of those that end a process by default", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServe(environment);
    using connection = connect(server.url);
    const gate = createGate(environment.root);
    await using reader = new EventReader(
      connection.client.runTurn({ prompt: script(gate.step, "say done") }),
    );
    await reader.until("session");
    for (const signal of IGNORED) {
      server.send(signal);
      server.send(signal);
      // Asked twice: the second request is answered after the signal was.
      for (let asked = 0; asked < 2; asked++) {
        const answer = await connection.client.listSessions({}).catch(String);
        expect(answer, signal).toMatchObject({ sessions: [{}] });
      }
    }
    gate.open();
    expect(await reader.until("result")).toMatchObject({ kind: { case: "result" } });
    server.send("SIGTERM");
    expect(await server.exited).toEqual([0, null]);
  });

  it.each([[[]], [["--disable-sigusr1"]]])(
    "opens no debugger's port, with the flags %j",
    async (flags) => {
      await using environment = await createTestEnvironment();
      await using server = await startServe(environment, {}, flags);
      const { pid } = server.child;
      const own = Number(new URL(server.url).port);
      expect(listeningPorts(pid!)).toEqual([own]);
      for (let sent = 0; sent < 3; sent++) server.send("SIGUSR1");
      await server.told("SIGUSR2", /a signal is ignored.*SIGUSR2/);
      // Node opens the port from a thread of its own: the server is given time to.
      const ports = await eventually(
        () => listeningPorts(pid!),
        (found) => found.length > 1,
        1000,
      );
      expect(ports).toEqual([own]);
      expect(server.log()).not.toContain("Debugger");
    },
  );

  it("opens none before it is heeded either, where the program is started as documented", () => {
    const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
    const { start, breakglass, drill } = JSON.parse(read("package.json")).scripts;
    for (const script of [start, breakglass, drill])
      expect(script).toMatch(/^exec \.\/breakglass\b/);
    const runs = read("breakglass")
      .split("\n")
      .filter((line) => line.includes("src/main.ts"));
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatch(/node"? .*--disable-sigusr1/);
    expect(read("bin/breakglass.js")).toMatch(/execve\(.*\.\.\.flags/);
    expect(read("bin/breakglass.js")).toMatch(/flags = .*"--disable-sigusr1"/);
  });
});

describe.concurrent("a signal that ends a server", () => {
  it.each(["SIGTERM", "SIGINT", "SIGQUIT", "SIGXCPU", "SIGPWR"] as const)(
    "has it drain, and leaves no agent: %s",
    async (signal) => {
      await using environment = await createTestEnvironment();
      await using server = await startServe(environment);
      using connection = connect(server.url);
      await using reader = new EventReader(
        connection.client.runTurn({ prompt: script("ignore", "hang") }),
      );
      await reader.until("session");
      server.send(signal);
      expect((await reader.until("error")).kind).toMatchObject({ case: "error" });
      expect(await server.exited).toEqual([0, null]);
      expect(agentsOf(environment)).toEqual([]);
    },
  );

  it.each(["SIGXCPU", "SIGPWR"] as const)(
    "and that the system repeats leaves the drain its time: %s",
    async (signal) => {
      await using environment = await createTestEnvironment();
      await using server = await startServe(environment, { BREAKGLASS_DRAIN_SECONDS: "600" });
      using connection = connect(server.url);
      const gate = createGate(environment.root);
      await using reader = new EventReader(
        connection.client.runTurn({ prompt: script(gate.step, "say done") }),
      );
      await reader.until("session");
      await server.told(signal, /"draining"/);
      for (let sent = 0; sent < 3; sent++) server.send(signal);
      server.send("SIGHUP");
      expect(await refusalOf(connection.client.runTurn({ prompt: "say no" }))).toMatchObject({
        reason: "DRAINING",
      });
      gate.open();
      await reader.until("result");
      expect(await server.exited).toEqual([0, null]);
    },
  );

  it("while it starts has it end in order once it has", async () => {
    await using environment = await createTestEnvironment();
    const child = spawn(process.execPath, [...NODE_FLAGS, PROGRAM, "serve"], {
      env: environment.variables,
      stdio: ["ignore", "pipe", "pipe"],
    });
    using _ended = endedAtLast(child);
    // The log's first line is from the middle of the start.
    await once(child.stderr, "data");
    child.kill("SIGHUP");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
