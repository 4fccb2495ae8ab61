import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const DEAF = 'trap "" TERM INT HUP; while :; do sleep 1; done';
/** To ask (1.5 s) and to terminate (1.5 s), 1 s, and another that a busy machine may take. */
const GONE_MS = 5000;
/** The same, after the 5 s that an agent may go on for after its result. */
const GONE_AFTER_RESULT_MS = 5000 + GONE_MS;

function survivors(server: TestServer, withinMs: number): Promise<number[]> {
  return eventually(
    () => server.processes(),
    (found) => found.length === 0,
    withinMs,
  );
}

// Each waits for seconds: they do so together.
describe.concurrent("an agent that leaves processes behind", () => {
  it.each([
    ["a child", "child sleep 600"],
    ["an orphan in a session of its own", "detach sleep 600"],
    ["an orphan that holds its output open", "detachHolding sleep 600"],
    ["an orphan that ignores SIGTERM", `detach ${DEAF}`],
  ])("has %s ended after its result, which does not wait for it", async (_what, step) => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const events = await collect(client.runTurn({ prompt: script(step, "say done") }));
    expect(valuesOf(events, "result")).toHaveLength(1);
    expect(server.processes().length).toBeGreaterThan(0);
    expect(await survivors(server, GONE_AFTER_RESULT_MS)).toEqual([]);
  });

  it("has them ended where it died itself", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const prompt = script(`detach ${DEAF}`, "child sleep 600", "kill SIGKILL");
    const events = await collect(connection.client.runTurn({ prompt }));
    expect(valuesOf(events, "error")[0]?.reason).toBe(ErrorReason.AGENT_EXITED);
    expect(await survivors(server, GONE_MS)).toEqual([]);
  });

  it.each([
    ["and does not heed either", ["ignore"]],
    ["and exits when asked", []],
  ])("%s has them ended before CancelTurn answers", async (_how, first) => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const steps = [...first, `detach ${DEAF}`, `child ${DEAF}`, "say ready", "hang"];
    await using reader = new EventReader(client.runTurn({ prompt: script(...steps) }));
    const { turnId } = await reader.until("text");
    expect(server.processes().length).toBeGreaterThanOrEqual(3);
    const asked = performance.now();
    const canceled = client.cancelTurn({ turnId });
    await reader.until("error");
    expect(server.processes()).toEqual([]);
    await canceled;
    expect(performance.now() - asked).toBeLessThan(5000);
  });

  it("has a turn that follows at once accepted, and run when they are gone", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    // A duration that no other process of this machine sleeps for.
    const sleep = `sleep ${600 + Math.random()}`;
    const first = await collect(client.runTurn({ prompt: script(`detach ${sleep}`) }));
    const { sessionId } = first[0]!;
    const prompt = script(`bash ps -eo args | grep -c '^${sleep}' || true`);
    const next = await collect(client.runTurn({ sessionId, prompt }));
    expect(valuesOf(next, "toolResult")[0]?.content.trim()).toBe("0");
  });

  it("has them ended with its session, and those of one opened under the same id live on", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const workspaces = () => readdir(join(server.root, "data", "sessions"));
    const first = await collect(client.runTurn({ prompt: script(`detach ${DEAF}`, "say done") }));
    const { sessionId } = first[0]!;
    const isDeleted = client.deleteSession({ sessionId });
    await eventually(
      () => client.listSessions({}),
      ({ sessions }) => sessions.length === 0,
    );
    const gate = createGate(server.root);
    const prompt = script("bash touch kept", "say begun", gate.step, "bash ls");
    await using reader = new EventReader(client.runTurn({ sessionId, prompt }));
    await reader.until("text");
    expect(await workspaces()).toHaveLength(2);
    await isDeleted;
    await eventually(workspaces, ({ length }) => length === 1);
    gate.open();
    const events = await reader.rest();
    expect(valuesOf(events, "toolResult").at(-1)?.content.trim()).toBe("kept");
    expect(events.at(-1)!.kind.case).toBe("result");
  });
});
