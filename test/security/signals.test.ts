import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  writeSync,
} from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { NODE_FLAGS, PROGRAM } from "../support/program.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import {
  createTestEnvironment,
  MARKER,
  type TestEnvironment,
} from "../support/test-environment.ts";
import { tokenLine } from "../support/test-server.ts";

/** Signals by which a server is asked for nothing. */
const IGNORED =
  "SIGUSR1 SIGUSR2 SIGALRM SIGVTALRM SIGPROF SIGIO SIGSTKFLT SIGPIPE SIGXFSZ SIGHUP".split(
    " ",
  ) as NodeJS.Signals[];

/** A server in a process of its own, started as an operator might, whose log can be read. */
async function startServe(
  { variables }: TestEnvironment,
  settings: Record<string, string> = {},
  flags: string[] = [],
) {
  const child = spawn(process.execPath, [...NODE_FLAGS, ...flags, PROGRAM, "serve"], {
    env: { ...variables, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (piece: Buffer) => {
    log += piece;
  });
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  const [line] = await Promise.race([once(child.stdout, "data"), exited]);
  const url = /https?:\/\/\S+/.exec(String(line))?.[0];
  if (url === undefined) throw new Error(`serve did not come up: ${log}`);
  return {
    child,
    url,
    exited,
    log: () => log,
    send: (signal: NodeJS.Signals) => child.kill(signal),
    /** Sends it and waits until the log says what became of it. */
    async told(signal: NodeJS.Signals, words: RegExp) {
      const before = log.length;
      child.kill(signal);
      expect(
        await eventually(
          () => log.slice(before),
          (more) => words.test(more),
        ),
      ).toMatch(words);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Ends a process where the test ends before it. */
function endedAtLast(child: ChildProcess): Disposable {
  return { [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

const agentsOf = ({ variables }: TestEnvironment) =>
  processesWith(MARKER, variables[MARKER]!).filter((pid) => commandOf(pid).includes("stream-json"));
const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8");

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

describe.concurrent("SIGHUP", () => {
  const AGAIN = /a setting was read again.*TOKENS/;
  const STAYS =
    /cannot be read again: what it was before stays.*TOKENS.*"why":"BREAKGLASS_TOKENS_FILE/;
  const refused = { code: Code.Unauthenticated };

  it("has tokens read again: they hold for the next request, on open connections too, and streams go on", async () => {
    await using environment = await createTestEnvironment();
    const file = join(environment.root, "tokens");
    await writeFile(file, tokenLine("alpha", "alice"), { mode: 0o600 });
    await using server = await startServe(environment, { BREAKGLASS_TOKENS_FILE: file });
    using alice = connect(server.url, { authorization: "Bearer alpha" });
    using later = connect(server.url, { authorization: "Bearer beta" });
    await expect(later.client.listSessions({})).rejects.toMatchObject(refused);
    const gate = createGate(environment.root);
    await using reader = new EventReader(
      alice.client.runTurn({ prompt: script(gate.step, "say done") }),
    );
    await reader.until("session");

    await writeFile(file, tokenLine("beta", "bob"));
    await server.told("SIGHUP", AGAIN);
    await expect(alice.client.listSessions({})).rejects.toMatchObject(refused);
    expect(await later.client.listSessions({})).toMatchObject({ sessions: [] });
    gate.open();
    await reader.until("result");

    const bad = [
      () =>
        writeFile(
          file,
          "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 bob\n",
        ),
      () => writeFile(file, ""),
      () => rm(file),
      () => execFileSync("mkfifo", ["-m", "600", file]),
      () =>
        rm(file)
          .then(() => writeFile(file, tokenLine("gamma", "mallory"), { mode: 0o666 }))
          .then(() => execFileSync("chmod", ["666", file])),
    ];
    for (const edit of bad) {
      await edit();
      await server.told("SIGHUP", STAYS);
      expect(await later.client.listSessions({})).toMatchObject({ sessions: [] });
    }
  });

  it("has rules read again: for the next process, also of a session that has one", async () => {
    await using environment = await createTestEnvironment();
    const file = join(environment.root, "rules");
    await writeFile(file, "deny Read\n");
    await using server = await startServe(environment, {
      BREAKGLASS_RULES_FILE: file,
      BREAKGLASS_MAX_WARM_PROCESSES: "4",
    });
    using connection = connect(server.url);
    const gate = createGate(environment.root);
    const agents = () => agentsOf(environment);
    const { client } = connection;
    await using reader = new EventReader(client.runTurn({ prompt: script(gate.step, "say done") }));
    const { sessionId } = await reader.until("session");
    const [before] = agents();
    expect(commandOf(before!)).toContain('"deny":["Read"]');

    // The same rules again, in other words.
    await writeFile(file, "# nobody\ndeny Read\n");
    await server.told("SIGHUP", /a setting was read again.*RULES/);
    gate.open();
    await reader.until("result");
    await collect(client.runTurn({ sessionId, prompt: "say same" }));
    expect(agents()).toEqual([before]);

    await writeFile(file, "deny Read\ndeny Bash(rm:*)\n");
    await server.told("SIGHUP", /a setting was read again.*RULES/);
    await collect(client.runTurn({ sessionId, prompt: "say new" }));
    const [after] = await eventually(agents, (pids) => pids.length === 1);
    expect(after).not.toBe(before);
    expect(commandOf(after!)).toContain('"deny":["Read","Bash(rm:*)"]');

    await writeFile(file, "forbid everything\n");
    await server.told("SIGHUP", /cannot be read again.*RULES/);
    await collect(client.runTurn({ prompt: "say other" }));
    expect(
      agents()
        .map(commandOf)
        .every((command) => command.includes("Bash(rm:*)")),
    ).toBe(true);
  });

  it("has rules read again: for those that wait for a session too", async () => {
    await using environment = await createTestEnvironment();
    const file = join(environment.root, "rules");
    await writeFile(file, "deny Read\n");
    await using server = await startServe(environment, {
      BREAKGLASS_RULES_FILE: file,
      BREAKGLASS_MAX_WARM_PROCESSES: "4",
      BREAKGLASS_SPARE_PROCESSES: "1",
    });
    const agents = () => agentsOf(environment);
    const [spare] = await eventually(agents, (pids) => pids.length === 1);
    expect(commandOf(spare!)).toContain('"deny":["Read"]');
    await writeFile(file, "deny Write\n");
    await server.told("SIGHUP", /a setting was read again.*RULES/);
    using connection = connect(server.url);
    await collect(connection.client.runTurn({ prompt: "say new" }));
    // The session's own, and the next one that waits.
    const both = await eventually(agents, (pids) => pids.length === 2 && !pids.includes(spare!));
    expect(both.map(commandOf)).toEqual([
      expect.stringContaining('"deny":["Write"]'),
      expect.stringContaining('"deny":["Write"]'),
    ]);
  });

  it("has the certificate read again: for the next connection", async () => {
    await using environment = await createTestEnvironment();
    const { root } = environment;
    const [cert, key] = [join(root, "cert.pem"), join(root, "key.pem")];
    const make = (name: string) => {
      const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
      execFileSync(
        "openssl",
        ["req", "-x509", "-subj", `/CN=${name}`, ...kind, "-keyout", key, "-out", cert],
        { stdio: "pipe" },
      );
    };
    make("first");
    await using server = await startServe(environment, {
      BREAKGLASS_TLS_CERT: cert,
      BREAKGLASS_TLS_KEY: key,
    });
    const open = async () => {
      const socket = connectTls({
        port: Number(new URL(server.url).port),
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"],
      });
      await once(socket, "secureConnect");
      return socket;
    };
    const first = await open();
    expect(first.getPeerCertificate().subject.CN).toBe("first");
    make("second");
    await server.told("SIGHUP", /a setting was read again.*TLS/);
    const second = await open();
    expect(second.getPeerCertificate().subject.CN).toBe("second");
    expect(second.alpnProtocol).toBe("h2");
    expect(first.closed).toBe(false);
    await writeFile(cert, "no certificate");
    await server.told("SIGHUP", /cannot be read again.*TLS/);
    const third = await open();
    expect(third.getPeerCertificate().subject.CN).toBe("second");
    for (const socket of [first, second, third]) socket.destroy();
  });
});

describe.concurrent("a server whose outputs go away", () => {
  it("serves on, and drains", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServe(environment);
    server.child.stdout.destroy();
    server.child.stderr.destroy();
    using connection = connect(server.url);
    for (const signal of ["SIGUSR2", "SIGHUP", "SIGUSR2"] as const) {
      server.send(signal);
      expect(
        (await collect(connection.client.runTurn({ prompt: "say on" }))).at(-1)?.kind.case,
      ).toBe("result");
    }
    server.send("SIGTERM");
    expect(await server.exited).toEqual([0, null]);
  });

  it("or whose log nobody reads serves on, and tells how much of it was lost", async () => {
    await using environment = await createTestEnvironment();
    const fifo = join(environment.root, "log");
    execFileSync("mkfifo", [fifo]);
    const log = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const chunk = Buffer.alloc(4096, "x");
    try {
      for (let filled = 0; filled < 10_000; filled++) writeSync(log, chunk);
    } catch (error) {
      expect(error).toMatchObject({ code: "EAGAIN" });
    }
    const { variables } = environment;
    // A description of its own for the server, one that waits, as a shell gives it.
    const child = spawn(
      "/bin/sh",
      ["-c", `exec "$0" "$1" serve 2>> ${fifo}`, process.execPath, PROGRAM],
      {
        env: variables,
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    using _ended = endedAtLast(child);
    const exited = once(child, "exit");
    const [line] = await Promise.race([once(child.stdout, "data"), exited]);
    using connection = connect(/http:\/\/\S+/.exec(String(line))![0]);
    const { client } = connection;
    for (let sent = 0; sent < 3; sent++) {
      child.kill("SIGUSR2");
      expect((await collect(client.runTurn({ prompt: "say on" }))).at(-1)?.kind.case).toBe(
        "result",
      );
    }
    let read = "";
    const look = () => {
      child.kill("SIGUSR2");
      const bytes = Buffer.alloc(100_000);
      try {
        for (;;) read += bytes.toString("latin1", 0, readSync(log, bytes));
      } catch (error) {
        expect(error).toMatchObject({ code: "EAGAIN" });
      }
      return read;
    };
    expect(await eventually(look, (text) => text.includes('"count":'))).toMatch(
      /^x+\{[^\n]*"message":"lines of the log were lost","count":\d+\}\n\{[^\n]*SIGUSR2/,
    );
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
    closeSync(log);
  });

  it("before it has told its address serves all the same", async () => {
    await using environment = await createTestEnvironment();
    const port = 20_000 + (process.pid % 20_000);
    const variables = { ...environment.variables, BREAKGLASS_LISTEN: `127.0.0.1:${port}` };
    const child = spawn(process.execPath, [...NODE_FLAGS, PROGRAM, "serve"], {
      env: variables,
      stdio: ["ignore", "pipe", "pipe"],
    });
    using _ended = endedAtLast(child);
    const exited = once(child, "exit");
    child.stdout.destroy();
    child.stderr.destroy();
    using connection = connect(`http://127.0.0.1:${port}`);
    const answer = await eventually(
      () => connection.client.listSessions({}).catch(() => undefined),
      (found) => found !== undefined,
      40_000,
    );
    expect(answer).toMatchObject({ sessions: [] });
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });
});
