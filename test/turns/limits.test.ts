import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { collect, durable, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer } from "../support/test-server.ts";

async function runWith(
  settings: Record<string, string>,
  prompt: string,
  request: { timeout?: { seconds: bigint; nanos: number } } = {},
) {
  await using server = await startTestServer(settings);
  using connection = connect(server.url);
  const events = await collect(connection.client.runTurn({ prompt, ...request }));
  const survivors = server.processes();
  const { turn } = await connection.client.getTurn({ turnId: events[0]!.turnId });
  return { events: durable(events), turn, survivors };
}

describe("a turn that takes too long", () => {
  // Its agent has to come up and speak before.
  it.concurrent.each([
    ["the server's limit", { BREAKGLASS_TURN_TIMEOUT_SECONDS: "3" }, {}],
    ["its own", {}, { timeout: { seconds: 2n, nanos: 500_000_000 } }],
    [
      "the server's limit, whatever it asked for",
      { BREAKGLASS_TURN_TIMEOUT_SECONDS: "3" },
      { timeout: { seconds: 315_576_000_000n, nanos: 0 } },
    ],
  ])("ends by %s", async (_whose, settings, request) => {
    const { events, turn, survivors } = await runWith(settings, script("say hi", "hang"), request);
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.TURN_TIMEOUT }]);
    expect(valuesOf(events, "error")[0]?.usage?.outputTokens).toBe(5n);
    expect(turn).toMatchObject({
      state: TurnState.FAILED,
      errorReason: ErrorReason.TURN_TIMEOUT,
    });
    expect(survivors).toEqual([]);
  });

  it("ends so too where its agent heeds nothing and has children that do not", async () => {
    const orphan = 'detach trap "" TERM; while :; do sleep 1; done';
    const prompt = script("ignore", orphan, "hang");
    const { events, survivors } = await runWith({ BREAKGLASS_TURN_TIMEOUT_SECONDS: "1" }, prompt);
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.TURN_TIMEOUT }]);
    expect(survivors).toEqual([]);
  });
});

describe("an agent that says nothing for too long", () => {
  it.each([
    ["from the start", script("silent", "hang")],
    ["after a while", script("say hi", "hang")],
    ["but a line that never ends", script("say hi", "floodStdout 1000000", "hang")],
  ])("%s has its turn ended", async (_when, prompt) => {
    const { events, survivors } = await runWith({ BREAKGLASS_IDLE_TIMEOUT_SECONDS: "1" }, prompt);
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.IDLE_TIMEOUT }]);
    expect(survivors).toEqual([]);
  });
});

describe("an agent that says something now and then", () => {
  it("may take longer than it may be silent", async () => {
    const steps = Array.from({ length: 8 }, () => ["pause 200", "say on"]).flat();
    const settings = { BREAKGLASS_IDLE_TIMEOUT_SECONDS: "1" };
    const { events } = await runWith(settings, script(...steps));
    expect(valuesOf(events, "text")).toHaveLength(8);
    expect(valuesOf(events, "result")).toHaveLength(1);
  });
});

describe("a turn that says too much", () => {
  it("ends at the limit of its log, with all that was within it", async () => {
    const settings = { BREAKGLASS_MAX_TURN_BYTES: "65536" };
    const { events, survivors } = await runWith(settings, script("many 10", "big 70000", "hang"));
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.OUTPUT_LIMIT }]);
    expect(valuesOf(events, "text")).toHaveLength(10);
    expect(survivors).toEqual([]);
  });

  it("has its largest events cut to the server's limit", async () => {
    const settings = { BREAKGLASS_MAX_EVENT_BYTES: "16384" };
    const { events } = await runWith(settings, script(`say ${"…".repeat(10_000)}`, "say small"));
    const [large, small] = valuesOf(events, "text");
    expect(large).toMatchObject({ truncated: true, totalBytes: 30_000n });
    expect(large!.text).toMatch(/^…+$/);
    expect(small).toMatchObject({ text: "small", truncated: false, totalBytes: 0n });
  });
});
