import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { collect, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startForTwo } from "./two-principals.ts";

/** A call of the model: a message of its own, which costs so much, and a tool behind it. */
const call = (usd = 0) => [`delta a`, "say a", `spend ${usd}`, "tool pause 30"];
const calls = (count: number, usd?: number) =>
  Array.from({ length: count }, () => call(usd)).flat();

describe("an agent that calls the model over and over", () => {
  it.each([
    [
      "of its request",
      { maxModelTurns: 3 },
      {},
      /\d+\. time.* 3 times at most \(max_model_turns\)/,
    ],
    [
      "of the server",
      { maxModelTurns: 50 },
      { BREAKGLASS_MAX_TURN_MODEL_TURNS: "3" },
      /3 times at most \(BREAKGLASS_MAX_TURN_MODEL_TURNS\)/,
    ],
  ])("is interrupted at the limit %s, and lives on", async (_whose, request, settings, words) => {
    await using two = await startForTwo({ ...settings, BREAKGLASS_MAX_WARM_PROCESSES: "4" });
    const sessionId = randomUUID();
    const prompt = script(...calls(100));
    const events = await collect(two.greedy.runTurn({ prompt, sessionId, ...request }));
    const [error] = valuesOf(events, "error");
    expect(error).toMatchObject({
      reason: ErrorReason.LIMIT_REACHED,
      message: expect.stringMatching(words),
    });
    expect(valuesOf(events, "text").length).toBeLessThan(60);
    const { turn } = await two.greedy.getTurn({ turnId: events[0]!.turnId });
    expect(turn?.state).toBe(TurnState.FAILED);
    expect(two.server.processes()).toHaveLength(1);
    const next = await collect(
      two.greedy.runTurn({ prompt: script(...calls(3)), sessionId, ...request }),
    );
    expect(valuesOf(next, "result")).toHaveLength(1);
    expect(two.server.processes()).toHaveLength(1);
  });

  it("is killed where it does not obey, while another's turn goes on", async () => {
    await using two = await startForTwo();
    const gate = createGate(two.server.root);
    const honest = collect(two.honest.runTurn({ prompt: script(gate.step, "say there") }));
    const prompt = script("ignore", ...calls(5), "hang");
    const events = await collect(two.greedy.runTurn({ prompt, maxModelTurns: 1 }));
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.LIMIT_REACHED }]);
    gate.open();
    expect(valuesOf(await honest, "text")).toMatchObject([{ text: "there" }]);
    expect(await eventually(two.server.processes, ({ length }) => length === 0)).toEqual([]);
  });
});

describe("an agent that spends", () => {
  it.each([
    [
      "of its request",
      { maxCostUsd: 1 },
      {},
      /cost \$2\.00, .* less than \$1\.00 \(max_cost_usd\)/,
    ],
    [
      "of the server",
      { maxCostUsd: 5 },
      { BREAKGLASS_MAX_TURN_COST_USD: "1.00" },
      /less than \$1\.00 \(BREAKGLASS_MAX_TURN_COST_USD\)/,
    ],
  ])(
    "is interrupted at the limit %s, also in a process that has spent before",
    async (_whose, request, settings, words) => {
      await using two = await startForTwo({ ...settings, BREAKGLASS_MAX_WARM_PROCESSES: "4" });
      const sessionId = randomUUID();
      for (let turn = 0; turn < 3; turn++) {
        const events = await collect(
          two.greedy.runTurn({ prompt: script("spend 0.5"), sessionId, ...request }),
        );
        expect(valuesOf(events, "result")).toHaveLength(1);
      }
      const prompt = script(
        "say a",
        "spend 0.5",
        "tool pause 5",
        "spend 1.5",
        "tool pause 5",
        "hang",
      );
      const events = await collect(two.greedy.runTurn({ prompt, sessionId, ...request }));
      const [error] = valuesOf(events, "error");
      expect(error).toMatchObject({
        reason: ErrorReason.LIMIT_REACHED,
        message: expect.stringMatching(words),
      });
      expect(error?.totalCostUsd).toBeGreaterThanOrEqual(2);
      expect(two.server.processes()).toHaveLength(1);
    },
  );

  it("ends well where its last call is the one that passes the limit", async () => {
    await using two = await startForTwo();
    const prompt = script("say a", "spend 3");
    const events = await collect(two.greedy.runTurn({ prompt, maxCostUsd: 1 }));
    expect(valuesOf(events, "result")).toMatchObject([{ totalCostUsd: 3.25 }]);
  });

  it.each([NaN, -1, Infinity])("is not let begin with a limit of %s", async (maxCostUsd) => {
    await using two = await startForTwo();
    const refusal = await refusalOf(two.greedy.runTurn({ prompt: "say a", maxCostUsd }));
    expect(refusal).toMatchObject({ reason: "INVALID_ARGUMENT", fields: ["max_cost_usd"] });
  });
});

describe("a principal who has used up the day", () => {
  const settings = { BREAKGLASS_MAX_PRINCIPAL_COST_USD_PER_DAY: "1" };

  it("is refused until the next, also after a restart and a deletion; nobody else is", async () => {
    await using two = await startForTwo(settings);
    const sessionId = randomUUID();
    const spent = { prompt: script("say a", "spend 2"), sessionId, requestId: randomUUID() };
    const events = await collect(two.greedy.runTurn(spent));
    expect(valuesOf(events, "result")).toHaveLength(1);
    const expected = {
      code: "ResourceExhausted",
      reason: "SPENDING_LIMIT",
      metadata: { limit: "cost_usd", most: "1", used: "2.25" },
    };
    const refusal = await refusalOf(two.greedy.runTurn({ prompt: "say b" }));
    expect(refusal).toMatchObject(expected);
    const spendings = [two.greedy, two.honest].map((client) => client.getSpending({}));
    expect((await Promise.all(spendings)).map(({ spending }) => spending)).toMatchObject([
      { principal: "greedy", costUsd: 2.25, maxCostUsd: 1, modelTurns: 1n },
      { principal: "honest", costUsd: 0, maxCostUsd: 1, modelTurns: 0n },
    ]);
    expect(refusal.retryMs).toBeLessThanOrEqual(86_400_000);
    // Who asks for the same again is not refused.
    expect(await collect(two.greedy.runTurn(spent))).toEqual(events.map(() => expect.anything()));
    await two.greedy.deleteSession({ sessionId });
    await two.server.restart();
    using again = connect(two.server.url, { authorization: "Bearer greedy" });
    expect(await refusalOf(again.client.runTurn({ prompt: "say c" }))).toMatchObject(expected);
    using other = connect(two.server.url, { authorization: "Bearer honest" });
    expect(
      valuesOf(await collect(other.client.runTurn({ prompt: "say d" })), "result"),
    ).toHaveLength(1);
  });

  it("has all turns end that run, as soon as one of them reaches it, and nobody else's", async () => {
    await using two = await startForTwo(settings);
    const gate = createGate(two.server.root);
    const honest = collect(two.honest.runTurn({ prompt: script(gate.step, "say there") }));
    const idle = script("say a", "spend 0.4", "tool pause 5", "hang");
    const running = [idle, idle].map((prompt) => collect(two.greedy.runTurn({ prompt })));
    const last = script(gate.step, idle);
    running.push(collect(two.greedy.runTurn({ prompt: last })));
    gate.open();
    for (const events of await Promise.all(running)) {
      expect(valuesOf(events, "error")).toMatchObject([
        { reason: ErrorReason.LIMIT_REACHED, message: expect.stringMatching(/greedy have cost/) },
      ]);
    }
    expect(valuesOf(await honest, "text")).toMatchObject([{ text: "there" }]);
    const refusal = await refusalOf(two.greedy.runTurn({ prompt: "say b" }));
    expect(refusal).toMatchObject({ reason: "SPENDING_LIMIT" });
  });
});
