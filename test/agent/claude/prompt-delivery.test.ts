import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { ErrorReason, NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { AgentTurn } from "../../../src/agent/agent.ts";
import { createGate, script } from "../../support/gate.ts";
import { eventually } from "../../support/processes.ts";
import { createWarmAgent, finish, nextTurn, said, valuesIn, type WarmAgent } from "./warm-agent.ts";

/** How often a turn's prompt was played, by whichever process. */
const timesPlayed = (warm: WarmAgent, turn: AgentTurn) =>
  warm.played(turn).filter(({ prompt }) => prompt === turn.prompt).length;

const replacements = (events: Parameters<typeof valuesIn>[0]) =>
  valuesIn(events, "notice").filter(({ reason }) => reason === NoticeReason.AGENT_REPLACED);

describe("a prompt that a kept process was given", () => {
  it("is no other's once it has said that it took it up, whatever becomes of it", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("die-taken", "say one"));
    await finish(warm.agent.start(turn));
    const next = nextTurn(turn, "say two");
    const events = await finish(warm.agent.start(next));
    expect(events.at(-1)).toMatchObject({
      case: "error",
      value: { reason: expect.any(Number) },
    });
    expect(replacements(events)).toEqual([]);
    expect(said(events)).toEqual([]);
    expect(timesPlayed(warm, next)).toBe(0);
    expect(warm.processes()).toEqual([]);
  });

  it("is its own once it has begun, though it says that it gives it back", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("lie-next", "say one"));
    await finish(warm.agent.start(turn));
    const next = nextTurn(turn, script("pause 300", "say two"));
    const events = await finish(warm.agent.start(next));
    expect(said(events)).toEqual(["two"]);
    expect(replacements(events)).toEqual([]);
    expect(timesPlayed(warm, next)).toBe(1);
  });

  it("is left to it where that spoke of something else, and does not give it back", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("slow-next", "say one"));
    await finish(warm.agent.start(turn));
    const next = nextTurn(turn, "say two");
    const events = await finish(warm.agent.start(next));
    expect(said(events)).toEqual(["two"]);
    expect(replacements(events)).toEqual([]);
    expect(timesPlayed(warm, next)).toBe(1);
  });

  it("waits behind the agent's own work, and is not played where that is interrupted", async () => {
    await using warm = await createWarmAgent();
    const first = warm.newTurn("");
    const gate = createGate(first.workspace);
    const turn = { ...first, prompt: script(`background 20 ${gate.step} | say own`, "say one") };
    await finish(warm.agent.start(turn));
    await eventually(
      () => warm.ownWork,
      ({ length }) => length === 1,
    );
    const next = nextTurn(turn, "say two");
    const running = warm.agent.start(next);
    await eventually(() => running.waitsForModel, Boolean);
    running.interrupt();
    const events = await finish(running);
    expect(events.at(-1)).toMatchObject({ case: "error", value: { reason: ErrorReason.CANCELED } });
    expect(said(await finish(warm.agent.start(nextTurn(turn, "say three"))))).toEqual(["three"]);
    expect(timesPlayed(warm, next)).toBe(0);
  });
});

describe("a prompt whose conversation is taken up differently from how it was thought", () => {
  it("goes to another process, with what steered it meanwhile behind it", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("tool message", "say behind"));
    // It looks as if the CLI had the conversation, which it does not.
    const place = join(dirname(turn.workspace), ".claude", "projects", "elsewhere");
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, `${turn.agentSessionId}.jsonl`), "");
    const running = warm.agent.start(turn);
    expect(running.steer("say steered")).toBe(true);
    const events = await finish(running);
    expect(said(events)).toEqual(["steered", "behind"]);
    expect(valuesIn(events, "session")).toMatchObject([{ resumed: false }]);
    expect(timesPlayed(warm, turn)).toBe(1);
  });
});

describe("a turn that is stopped before a process has its prompt", () => {
  it("ends, is played by nobody and leaves no process", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("say one"));
    const stopped = warm.agent.start(turn);
    await stopped.stop();
    await finish(stopped);
    expect(warm.processes()).toEqual([]);
    expect(warm.recorded.size).toBe(0);
    expect(timesPlayed(warm, turn)).toBe(0);
    const next = nextTurn(turn, "say two");
    expect(said(await finish(warm.agent.start(next)))).toEqual(["two"]);
  });

  it("is not written to the process that was being started", async () => {
    const asked = Promise.withResolvers<void>();
    const recorded = Promise.withResolvers<void>();
    const registry = {
      recordProcess: () => {
        asked.resolve();
        return recorded.promise;
      },
      recordProcessGone: async () => {},
    };
    await using warm = await createWarmAgent({}, { registry });
    const turn = warm.newTurn("say one");
    const run = warm.agent.start(turn);
    await asked.promise;
    const stopped = run.stop();
    recorded.resolve();
    await stopped;
    expect(await finish(run)).toEqual([]);
    expect(timesPlayed(warm, turn)).toBe(0);
    expect(warm.processes()).toEqual([]);
  });

  it("is not given to another process where the kept one took nothing of it", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn("");
    const taken = join(turn.workspace, "taken");
    await finish(warm.agent.start({ ...turn, prompt: script(`hang-next ${taken}`, "say one") }));
    const next = nextTurn(turn, "say two");
    const stopped = warm.agent.start(next);
    await eventually(() => existsSync(taken), Boolean);
    await stopped.stop();
    await finish(stopped);
    expect(timesPlayed(warm, next)).toBe(0);
    expect(warm.processes()).toEqual([]);
  });
});

describe("a process whose conversation has become another one", () => {
  it("takes no other turn", async () => {
    await using warm = await createWarmAgent();
    const id = "9fc530c3-31a1-4c14-8865-28ef3331aca6";
    const reset = `print ${JSON.stringify({ type: "conversation_reset", new_conversation_id: id })}`;
    const turn = warm.newTurn(script("say one", reset));
    const run = warm.agent.start(turn);
    expect(said(await finish(run))).toEqual(["one"]);
    expect(run.agentSessionId).toBe(id);
    expect(await eventually(warm.processes, ({ length }) => length === 0)).toEqual([]);
  });
});
