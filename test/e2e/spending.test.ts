import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import { bash, say } from "../../src/drill/script.ts";
import { valuesOf } from "../support/events.ts";
import { INSTALLED_CLIS } from "../support/installed-clis.ts";
import { startRealCli } from "./real-cli.ts";

/** What each call of the model takes: well over ten cents at the list prices of any model. */
const TOKENS = { input: 100_000, output: 5000 };
const SCRIPT = [
  { when: "once", steps: [say("done")] },
  { when: "over and over", steps: Array.from({ length: 50 }, (_, n) => bash(`echo ${n}`)) },
];

describe.each(INSTALLED_CLIS)("the CLI $version", ({ command }) => {
  const settings = { BREAKGLASS_AGENT_COMMAND: command, BREAKGLASS_MAX_WARM_PROCESSES: "4" };

  it("is interrupted when a turn has cost what it may, cold, warm and resumed", async () => {
    await using cli = await startRealCli(SCRIPT, settings, { tokens: TOKENS });
    const sessionId = randomUUID();
    const first = await cli.run({ prompt: "once", sessionId });
    const [{ totalCostUsd: callUsd } = { totalCostUsd: 0 }] = valuesOf(first, "result");
    expect(callUsd).toBeGreaterThan(0.1);
    const request = { prompt: "over and over", maxCostUsd: 2.5 * callUsd };
    const limited = async (id: string) => {
      const events = await cli.run({ ...request, sessionId: id });
      const [error] = valuesOf(events, "error");
      expect(error).toMatchObject({
        reason: ErrorReason.LIMIT_REACHED,
        message: expect.stringContaining("(max_cost_usd)"),
      });
      // Three calls reach it; it may pass it by those that are under way.
      expect(error?.totalCostUsd).toBeGreaterThan(2.9 * callUsd);
      expect(error?.totalCostUsd).toBeLessThan(6.1 * callUsd);
      return events;
    };
    await limited(sessionId); // Warm: what the turn before has cost is none of it.
    const [agent] = cli.agents();
    await limited(sessionId);
    expect(cli.agents()).toEqual([agent]);
    await limited(randomUUID());
    await cli.restart();
    await limited(sessionId);
    const next = await cli.run({ ...request, prompt: "once", sessionId });
    expect(valuesOf(next, "result")).toHaveLength(1);
  });

  it("is interrupted when a turn calls the model more often than it may", async () => {
    await using cli = await startRealCli(SCRIPT, settings, { tokens: TOKENS });
    const events = await cli.run({ prompt: "over and over", maxModelTurns: 3 });
    expect(valuesOf(events, "error")).toMatchObject([
      {
        reason: ErrorReason.LIMIT_REACHED,
        message: expect.stringContaining("(max_model_turns)"),
      },
    ]);
    const calls = new Set(valuesOf(events, "tool").map(({ messageId }) => messageId));
    expect(calls.size).toBeGreaterThanOrEqual(3);
    expect(calls.size).toBeLessThanOrEqual(5);
  });
});
