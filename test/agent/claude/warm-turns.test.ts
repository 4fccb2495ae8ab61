import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ErrorReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { script } from "../../support/gate.ts";
import { eventually } from "../../support/processes.ts";
import { createWarmAgent, finish, nextTurn, run, said, valuesIn } from "./warm-agent.ts";

describe("an interrupt", () => {
  it.each([
    ["text", script("say begun", "hang")],
    ["a tool", script("say begun", "bash sleep 300")],
  ])("during %s ends the turn and not the process", async (_what, prompt) => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(prompt);
    const running = warm.agent.start(turn);
    await eventually(
      () => warm.played(turn).length,
      (count) => count === 1,
    );
    running.interrupt();
    const events = await finish(running);
    expect(events.at(-1)).toMatchObject({ case: "error", value: { reason: ErrorReason.CANCELED } });
    const { pid } = warm.played(turn)[0]!;
    expect(await eventually(warm.processes, ({ length }) => length === 1)).toEqual([pid]);
    expect((await run(warm, nextTurn(turn, "say next"))).pid).toBe(pid);
  });

  it("that is sent before the process has begun is heard once it has", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("say begun", "hang"));
    const running = warm.agent.start(turn);
    running.interrupt();
    expect((await finish(running)).at(-1)?.case).toBe("error");
    expect(warm.played(turn)).toHaveLength(1);
  });

  it("takes what waits behind the text with it", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("say begun", "hang"));
    const running = warm.agent.start(turn);
    await eventually(
      () => warm.played(turn).length,
      (count) => count === 1,
    );
    expect(running.steer("say steered")).toBe(true);
    running.interrupt();
    expect(said(await finish(running))).toEqual(["begun"]);
    const next = await run(warm, nextTurn(turn, "say next"));
    expect(next.said).toEqual(["next"]);
    expect(warm.played(turn).map(({ prompt }) => prompt)).toEqual([turn.prompt, "say next"]);
  });
});

describe("a message for the running turn", () => {
  it.each([
    ["a tool joins it", script("tool message", "say behind"), ["steered", "behind"]],
    ["text is answered in it", script("message", "say before"), ["before", "steered"]],
  ])("that comes during %s", async (_what, prompt, order) => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(prompt);
    const running = warm.agent.start(turn);
    await eventually(
      () => warm.played(turn).length,
      (count) => count === 1,
    );
    expect(running.steer("say steered")).toBe(true);
    const events = await finish(running);
    expect(said(events)).toEqual(order);
    expect(valuesIn(events, "result")).toHaveLength(1);
    expect(running.steer("say late")).toBe(false);
    const next = await run(warm, nextTurn(turn, "say next"));
    expect(next.said).toEqual(["next"]);
    expect(warm.processes()).toHaveLength(1);
  });

  it("that comes before its prompt was handed over comes behind that", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("tool message", "say behind"));
    const running = warm.agent.start(turn);
    expect(running.steer("say steered")).toBe(true);
    expect(said(await finish(running))).toEqual(["steered", "behind"]);
  });
});

describe("a message for a turn whose process does not take it", () => {
  it("is given, behind the prompt, to the one that replaces it", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn("");
    const taken = join(turn.workspace, "taken");
    await run(warm, { ...turn, prompt: script(`hang-next ${taken}`, "say one") });
    const running = warm.agent.start(nextTurn(turn, script("tool message", "say behind")));
    await eventually(() => existsSync(taken), Boolean);
    expect(running.steer("say steered")).toBe(true);
    expect(said(await finish(running))).toEqual(["steered", "behind"]);
  });
});
