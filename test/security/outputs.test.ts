import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { NODE_FLAGS, PROGRAM } from "../support/program.ts";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { endedAtLast, startServe } from "./told-server.ts";

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
