import { describe, expect, it } from "vitest";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import { collect, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const DEAF = 'trap "" TERM INT HUP; while :; do sleep 1; done';
/** What it takes to give up waiting (5 s), to ask (1.5 s) and to terminate (1.5 s), and 1 s. */
const GONE_AFTER_RESULT_MS = 9000;
/** To ask, to terminate, and 1 s. */
const GONE_MS = 4000;

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

  it("has them ended before CancelTurn answers", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const prompt = script("ignore", `detach ${DEAF}`, `child ${DEAF}`, "say ready", "hang");
    for await (const { event } of client.runTurn({ prompt })) {
      if (event?.kind.case !== "text") continue;
      expect(server.processes().length).toBeGreaterThanOrEqual(3);
      const asked = performance.now();
      await client.cancelTurn({ turnId: event.turnId });
      expect(server.processes()).toEqual([]);
      expect(performance.now() - asked).toBeLessThan(5000);
    }
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
});
