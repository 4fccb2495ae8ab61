import { existsSync, globSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { streamTurn } from "#client";
import {
  BreakglassService,
  RunTurnResponseSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ErrorReason, type TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { runCommand } from "../commands/run-command.ts";
import { cases, collect, durable, valuesOf } from "../support/events.ts";
import { GrpcJsClient } from "../support/grpc-js.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startFakeProcess } from "./support.ts";

/** A directory that is removed. */
function directory() {
  const path = mkdtempSync(join(tmpdir(), "breakglass-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

describe("breakglass fake", () => {
  it("plays a small repair with no home, no CLI and nothing on PATH, and leaves nothing behind", async () => {
    using temporary = directory();
    const variables = { HOME: "/nonexistent", PATH: "/nonexistent", TMPDIR: temporary.path };
    await using fake = await startFakeProcess([], variables);
    using client = new GrpcJsClient(fake.url);
    const messages = await client.readStream(BreakglassService.method.runTurn, {
      prompt: "Repair it.",
    });
    const events = messages.map((bytes) => fromBinary(RunTurnResponseSchema, bytes).event!);
    expect(cases(durable(events))).toEqual([
      ...["session", "text", "tool", "toolResult", "text", "tool", "toolResult", "text", "result"],
    ]);
    expect(readdirSync(temporary.path)).toHaveLength(1);
    expect(await fake.end("SIGTERM")).toBe(0);
    expect(readdirSync(temporary.path)).toEqual([]);
    expect(processesIn(temporary.path)).toEqual([]);
  });

  it("heeds neither the data nor the agent of the one who runs it, but other settings", async () => {
    using own = directory();
    await using fake = await startFakeProcess([], {
      HOME: own.path,
      XDG_STATE_HOME: own.path,
      ANTHROPIC_API_KEY: "secret",
      BREAKGLASS_DATA_DIR: join(own.path, "data"),
      BREAKGLASS_SESSIONS_DIR: join(own.path, "sessions"),
      BREAKGLASS_AGENT_COMMAND: "/bin/false",
      BREAKGLASS_LISTEN: "0.0.0.0:7433",
      BREAKGLASS_MAX_PROMPT_BYTES: "3",
    });
    using connection = connect(fake.url);
    const refused = await refusalOf(connection.client.runTurn({ prompt: "long" }));
    expect(refused).toMatchObject({ code: "InvalidArgument", fields: ["prompt"] });
    const events = await collect(connection.client.runTurn({ prompt: "fit" }));
    expect(cases(events).at(-1)).toBe("result");
    expect(new URL(fake.url).hostname).toBe("127.0.0.1");
    expect(readdirSync(own.path)).toEqual([]);
  });

  it("goes on where it was killed, on the same directory and port", async () => {
    using kept = directory();
    const script = join(kept.path, "script.json");
    writeFileSync(
      script,
      JSON.stringify({ turns: [{ steps: [{ text: "a" }, { failure: "hang" }] }] }),
    );
    const args = ["--data", join(kept.path, "data"), "--script", script];
    await using first = await startFakeProcess(args);
    const { port } = new URL(first.url);
    using connection = connect(first.url);
    const events: TurnEvent[] = [];
    let second: ReturnType<typeof startFakeProcess> | undefined;
    for await (const event of streamTurn(connection.client, { run: { prompt: "x" } })) {
      events.push(event);
      if (event.kind.case !== "text") continue;
      await first.end("SIGKILL");
      second = startFakeProcess([...args, "--port", port]);
    }
    await using again = await second!;
    expect(again.url).toBe(first.url);
    expect(cases(durable(events))).toEqual(["session", "text", "error"]);
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.SERVER_RESTARTED }]);
    expect(await again.end("SIGTERM")).toBe(0);
    // What the first had there too is gone.
    expect(readdirSync(join(kept.path, "data")).sort()).toEqual(["data", "home"]);
  });

  it("wants the tokens that it is given", async () => {
    await using fake = await startFakeProcess(["--token", "alice:s3cret", "--token", "other"]);
    const of = (token: string) => connect(fake.url, { authorization: `Bearer ${token}` });
    using nobody = connect(fake.url);
    using alice = of("s3cret");
    using other = of("other");
    expect(await refusalOf(nobody.client.listSessions({}))).toMatchObject({
      code: "Unauthenticated",
    });
    await collect(alice.client.runTurn({ prompt: "x" }));
    const { sessions } = await alice.client.listSessions({});
    expect(sessions.map(({ principal }) => principal)).toEqual(["alice"]);
    expect((await other.client.listSessions({})).sessions).toEqual([]);
  });

  it("reads its script again on SIGHUP, and keeps it where the new one is none", async () => {
    using here = directory();
    const script = join(here.path, "s.yaml");
    writeFileSync(script, "turns: [{ steps: [{ text: first }] }]");
    await using fake = await startFakeProcess(["--script", script]);
    using connection = connect(fake.url);
    const answer = async () =>
      valuesOf(await collect(connection.client.runTurn({ prompt: "x" })), "result")[0]?.result;
    expect(await answer()).toBe("first");
    writeFileSync(script, "turns: [{ steps: [{ text: second }] }]");
    process.kill(fake.pid, "SIGHUP");
    await expect.poll(answer, { timeout: 20_000 }).toBe("second");
  });

  it("fails as it is told to", async () => {
    await using fake = await startFakeProcess([
      "--fault",
      "refuse:TOO_MANY_TURNS:1",
      "--fault",
      "http:502:1",
    ]);
    using connection = connect(fake.url);
    expect(await refusalOf(connection.client.listSessions({}))).toMatchObject({
      code: "Unavailable",
    });
    const refused = await refusalOf(connection.client.runTurn({ prompt: "x" }));
    expect(refused).toMatchObject({ reason: "TOO_MANY_TURNS" });
    await collect(connection.client.runTurn({ prompt: "x" }));
  });
});

describe("breakglass fake with what cannot be used", () => {
  it.each([
    [
      "a script that is not there",
      ["--script", "/none.yaml"],
      "the script /none.yaml cannot be read: ENOENT",
    ],
    ["a fault that is none", ["--fault", "cut:x"], 'the fault "cut:x" is not known: it takes'],
    ["a port that is none", ["--port", "70000"], "It takes a port from 0 to 65535."],
    ["a token with a space", ["--token", "a b"], "takes TOKEN or PRINCIPAL:TOKEN"],
    ["a token of two", ["--token", "a:x", "--token", "b:x"], "for two principals, a and b"],
    [
      "a directory that is a file",
      ["--data", "/dev/null"],
      "the data directory /dev/null cannot be used",
    ],
    // Where Node's own recursion never ends.
    [
      "a directory where none is made",
      ["--data", "/proc/x"],
      "the data directory /proc/x cannot be",
    ],
  ])("%s says so in a line and exits with 2", async (_what, args, said) => {
    using temporary = directory();
    const environment = { TMPDIR: temporary.path };
    const { status, stdout, stderr } = await runCommand(["fake", ...args], { environment });
    expect(stderr).toContain(said);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  it("a setting that cannot be used is told of by its name", async () => {
    const environment = { BREAKGLASS_DRAIN_SECONDS: "soon" };
    const { status, stderr } = await runCommand(["fake"], { environment });
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringContaining('BREAKGLASS_DRAIN_SECONDS is "soon", but takes'),
    });
  });

  it("the port and the directory of another are told of as such", async () => {
    using kept = directory();
    const data = join(kept.path, "d");
    await mkdir(data);
    await using fake = await startFakeProcess(["--data", data]);
    const { port } = new URL(fake.url);
    const taken = await runCommand(["fake", "--port", port]);
    expect(taken.stderr).toContain(
      `the port of the fake is ${port}, which cannot be listened on: EADDRINUSE`,
    );
    const used = await runCommand(["fake", "--port", "0", "--data", data]);
    expect(used.stderr).toContain(`the data directory is ${data}: `);
    expect([taken.status, used.status]).toEqual([2, 2]);
    // The one that has the directory still has its script.
    using connection = connect(fake.url);
    expect(cases(await collect(connection.client.runTurn({ prompt: "x" }))).at(-1)).toBe("result");
  });
});

/** The processes that were told of a directory. */
function processesIn(path: string): string[] {
  return globSync("/proc/[0-9]*/environ").filter((file) => {
    try {
      return (
        existsSync(file) &&
        process.getBuiltinModule("node:fs").readFileSync(file, "utf8").includes(path)
      );
    } catch {
      return false;
    }
  });
}
