import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason, NoticeReason, type TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { collect, durable, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const MIB = 1024 * 1024;

let server: TestServer;
let connection: TestClient;
beforeAll(async () => {
  server = await startTestServer({ BREAKGLASS_MAX_LINE_BYTES: String(4 * MIB) });
  connection = connect(server.url);
});
afterAll(async () => {
  connection[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** Runs a turn and holds it against what every turn owes, however its agent behaves. */
async function run(...steps: string[]): Promise<TurnEvent[]> {
  const events = durable(await collect(connection.client.runTurn({ prompt: script(...steps) })));
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  const terminal = events.filter(({ kind }) => kind.case === "result" || kind.case === "error");
  expect(terminal).toEqual(events.slice(-1));
  return events;
}

const texts = (events: TurnEvent[]) => valuesOf(events, "text").map(({ text }) => text);
const malformed = (events: TurnEvent[]) =>
  valuesOf(events, "notice").filter(({ reason }) => reason === NoticeReason.MALFORMED_OUTPUT);

describe("an agent that fails", () => {
  it.each([
    ["dies by SIGKILL", ["say so far", "kill SIGKILL"], ErrorReason.AGENT_EXITED, "SIGKILL"],
    ["dies by SIGSEGV", ["say so far", "kill SIGSEGV"], ErrorReason.AGENT_EXITED, "SIGSEGV"],
    ["exits 0 without a result", ["say so far", "end"], ErrorReason.AGENT_EXITED, ""],
    ["exits 7 in the middle", ["say so far", "exit 7"], ErrorReason.AGENT_EXITED, ""],
    ["exits 1 at once", ["silent", "stderr no luck", "exit 1"], ErrorReason.AGENT_START_FAILED, ""],
    ["prints nothing", ["silent", "end"], ErrorReason.AGENT_PROTOCOL, ""],
    ["prints nothing usable", ["silent", "print hello", "end"], ErrorReason.AGENT_PROTOCOL, ""],
  ])("because it %s ends its turn with that error", async (_how, steps, reason, signal) => {
    const events = await run(...steps);
    const [error] = valuesOf(events, "error");
    expect(error).toMatchObject({ reason, signal });
    if (steps.includes("say so far")) expect(texts(events)).toEqual(["so far"]);
    if (steps.includes("exit 7")) expect(error?.exitCode).toBe(7);
    if (steps.includes("stderr no luck")) expect(error?.stderrTail).toContain("no luck");
    expect(server.processes()).toEqual([]);
  });
});

describe("an agent that prints what it should not", () => {
  it("is read on after lines that are no messages, each told of once", async () => {
    const events = await run(
      'print {"type":"assistant","message":{"content":[{"ty',
      "print not JSON at all",
      "print []",
      "print ",
      'print {"type":"no_such_type","deep":{"er":1}}',
      'print {"type":"assistant","message":7}',
      "say after",
    );
    expect(malformed(events)).toHaveLength(4);
    expect(texts(events)).toEqual(["after"]);
    expect(valuesOf(events, "result")).toHaveLength(1);
  });

  it("has its text whole where every byte comes alone", async () => {
    expect(texts(await run("split é…𝄞 ends"))).toEqual(["é…𝄞 ends"]);
  });

  it("is read on after a line above the limit, which is told of", async () => {
    const events = await run(`floodStdout ${16 * MIB}`, "print ", "say after");
    expect(malformed(events)[0]?.message).toContain(String(16 * MIB));
    expect(texts(events)).toEqual(["after"]);
  });

  it("has an input nested too deep left out, and goes on", async () => {
    const events = await run("deep 20000", "say after");
    expect(valuesOf(events, "tool")[0]).toMatchObject({ inputJson: "", truncated: true });
    expect(valuesOf(events, "tool")[0]?.totalBytes).toBeGreaterThan(100_000n);
    expect(texts(events)).toEqual(["after"]);
  });

  it("may write to stderr what it likes", async () => {
    const events = await run(`floodStderr ${64 * MIB}`, "say after");
    expect(texts(events)).toEqual(["after"]);
  });

  it("has only its first result count", async () => {
    const events = await run("result first", "say later", "result second");
    expect(valuesOf(events, "result").map(({ result }) => result)).toEqual(["first"]);
    expect(texts(events)).toEqual([]);
  });
});
