import { expect, it } from "vitest";
import { ErrorReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { script } from "../../support/gate.ts";
import { eventually } from "../../support/processes.ts";
import {
  type AgentUnderTest,
  endsIn,
  finish,
  follow,
  nextTurn,
  valuesIn,
} from "../agent-under-test.ts";

export function describeRuns(open: () => Promise<AgentUnderTest>): void {
  it("comes up once, says what it says in order, and ends once, with nothing behind it", async () => {
    await using opened = await open();
    const events = await finish(opened.agent.start(opened.newTurn(script("say one", "say two"))));
    expect(valuesIn(events, "text").map(({ text }) => text)).toEqual(["one", "two"]);
    expect(valuesIn(events, "session")).toHaveLength(1);
    expect(endsIn(events)).toEqual([events.length - 1]);
    expect(valuesIn(events, "result")).toMatchObject([{ isError: false }]);
  });

  it("takes its prompt literally", async () => {
    await using opened = await open();
    for (const text of ["-v", "$(id) `id`", '"quoted" \\n', "☃ \u{1d11e}", "/help @file"]) {
      const events = await finish(opened.agent.start(opened.newTurn(`say ${text}`)));
      expect(valuesIn(events, "text").map((said) => said.text)).toEqual([text]);
    }
  });

  it("ends with an error where its program exits before it is done", async () => {
    await using opened = await open();
    const events = await finish(opened.agent.start(opened.newTurn(script("say one", "exit 3"))));
    expect(endsIn(events)).toEqual([events.length - 1]);
    const { AGENT_EXITED } = ErrorReason;
    expect(valuesIn(events, "error")).toMatchObject([{ reason: AGENT_EXITED }]);
  });

  it("never throws: without a workspace it ends with an error", async () => {
    await using opened = await open();
    const turn = opened.newTurn("say one", { workspace: "/nowhere/at/all" });
    const events = await finish(opened.agent.start(turn));
    const { AGENT_START_FAILED } = ErrorReason;
    expect(valuesIn(events, "error")).toMatchObject([{ reason: AGENT_START_FAILED }]);
  });

  it("obeys an interrupt, and its session takes the next turn", async () => {
    await using opened = await open();
    const turn = opened.newTurn(script("say one", "hang"));
    const run = opened.agent.start(turn);
    const { events, ended } = follow(run);
    await eventually(
      () => valuesIn(events, "text").length,
      (count) => count === 1,
    );
    run.interrupt();
    run.interrupt();
    await ended;
    expect(endsIn(events)).toEqual([events.length - 1]);
    expect(valuesIn(events, "error")).toMatchObject([{ reason: ErrorReason.CANCELED }]);
    const next = await finish(opened.agent.start(nextTurn(turn, run, "say two")));
    expect(valuesIn(next, "text").map(({ text }) => text)).toEqual(["two"]);
    expect(valuesIn(next, "result")).toHaveLength(1);
  });

  it("tells what it cost if it tells of costs at all", async () => {
    await using opened = await open();
    const events = await finish(opened.agent.start(opened.newTurn("say one")));
    const [result] = valuesIn(events, "result");
    expect(result!.totalCostUsd > 0).toBe(opened.agent.capabilities.cost);
  });

  it("takes messages while it works if it can, and none once it is over", async () => {
    await using opened = await open();
    if (!opened.agent.capabilities.steer) return;
    const run = opened.agent.start(opened.newTurn(script("tool message", "say one")));
    const { ended } = follow(run);
    expect(run.steer("say two")).toBe(true);
    expect(valuesIn(await ended, "text").map(({ text }) => text)).toContain("two");
    expect(run.steer("say three")).toBe(false);
  });
}
