import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { bytesOf, cases, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { refusalOf } from "../support/refusals.ts";
import { pidOf, said, startLiveServer } from "./live-server.ts";

describe("InterruptTurn", () => {
  it.each([
    ["text", "hang"],
    ["a tool, which is killed,", "bash sleep 300"],
  ])(
    "during %s ends the turn CANCELED with what was said, and not the process",
    async (_what, step) => {
      await using live = await startLiveServer();
      const sessionId = randomUUID();
      const reader = live.open({ sessionId, prompt: script("pid", step) });
      const { turnId } = await reader.until("text");
      if (step !== "hang") await reader.until("tool");
      const { turn } = await live.client.interruptTurn({ turnId });
      expect(turn).toMatchObject({
        state: TurnState.CANCELED,
        errorReason: ErrorReason.CANCELED,
      });
      const events = await reader.rest();
      expect(cases(events).at(-1)).toBe("error");
      const pid = pidOf(events);
      expect(await eventually(live.server.processes, ({ length }) => length === 1)).toEqual([pid]);
      expect((await live.client.interruptTurn({ turnId })).turn).toEqual(turn);
      expect(pidOf(await live.run({ sessionId, prompt: "pid" }))).toBe(pid);
    },
  );

  it("is asked by several at once, and ends the turn once", async () => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: script("say begun", "hang") });
    const { turnId } = await reader.until("text");
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => live.client.interruptTurn({ turnId })),
    );
    expect(new Set(answers.map(({ turn }) => turn?.state))).toEqual(new Set([TurnState.CANCELED]));
    expect(valuesOf(await reader.rest(), "error")).toHaveLength(1);
  });

  it("that is not obeyed is answered ABORTED, the turn goes on, and CancelTurn ends it", async () => {
    await using live = await startLiveServer();
    const gate = createGate(live.server.root);
    const reader = live.open({ prompt: script("deaf", "say begun", gate.step, "say on", "hang") });
    const { turnId, sessionId } = await reader.until("text");
    const refusal = await refusalOf(live.client.interruptTurn({ turnId }));
    expect(refusal).toMatchObject({ code: "Aborted", reason: "INTERRUPT_NOT_OBEYED" });
    gate.open();
    await reader.until("text");
    expect((await live.client.getTurn({ turnId })).turn?.state).toBe(TurnState.RUNNING);
    expect((await live.client.cancelTurn({ turnId })).turn?.state).toBe(TurnState.CANCELED);
    expect(live.server.processes()).toEqual([]);
    expect(said(await live.run({ sessionId, prompt: "say next" }))).toEqual(["next"]);
  });

  it("at the moment of the result leaves one end, and the session works on", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    for (let n = 0; n < 10; n++) {
      const reader = live.open({ sessionId, prompt: script("say begun", "pause 5", "say more") });
      const { turnId } = await reader.until("text");
      await delay(n);
      const { turn } = await live.client.interruptTurn({ turnId });
      expect([TurnState.CANCELED, TurnState.SUCCEEDED]).toContain(turn?.state);
      const ends = cases(await reader.rest()).filter((kind) => /result|error/.test(kind!));
      expect(ends).toHaveLength(1);
      expect(said(await live.run({ sessionId, prompt: `say next ${n}` }))).toEqual([`next ${n}`]);
    }
    const prompts = (await live.played(sessionId)).map(({ prompt }) => prompt);
    expect(prompts).toHaveLength(20);
  });
});

describe("SteerTurn", () => {
  it.each([
    ["a tool joins the turn", ["tool message", "say behind"], ["steered", "behind"]],
    ["text is answered in the turn", ["message", "say before"], ["before", "steered"]],
  ])("during %s, and is on record", async (_what, steps, order) => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const reader = live.open({ sessionId, prompt: script("think begun", ...steps) });
    const { turnId } = await reader.until("thinking");
    const requestId = randomUUID();
    const request = { turnId, message: "say steered", requestId };
    const { sequence, turn } = await live.client.steerTurn(request);
    expect(turn?.turnId).toBe(turnId);
    const events = await reader.rest();
    expect(said(events)).toEqual(order);
    expect(cases(events).filter((kind) => kind === "result")).toHaveLength(1);
    const steer = events.find((event) => event.sequence === sequence);
    expect(steer?.kind).toMatchObject({
      case: "steer",
      value: { message: "say steered", principal: "local", requestId },
    });
    const attached = await collect(live.client.attachTurn({ turnId }));
    expect(bytesOf(durable(attached))).toEqual(bytesOf(durable(events)));
    expect((await live.client.steerTurn(request)).sequence).toBe(sequence);
    expect(said(await live.run({ sessionId, prompt: "say next" }))).toEqual(["next"]);
    expect((await live.played(sessionId)).length).toBe(3);
  });

  it("by several at once loses none and gives none twice", async () => {
    await using live = await startLiveServer();
    const gate = createGate(live.server.root);
    const reader = live.open({ prompt: script("think begun", `tool ${gate.step}`) });
    const { turnId, sessionId } = await reader.until("tool");
    const requests = Array.from({ length: 8 }, (_, n) => ({
      turnId,
      message: `say steer ${n}`,
      requestId: randomUUID(),
    }));
    const twice = [...requests, ...requests];
    const answers = await Promise.all(twice.map((request) => live.client.steerTurn(request)));
    expect(new Set(answers.map(({ sequence }) => sequence)).size).toBe(8);
    gate.open();
    const events = await reader.rest();
    expect(said(events).toSorted()).toEqual(requests.map(({ message }) => message.slice(4)));
    expect(await live.played(sessionId)).toHaveLength(9);
  });

  it("as soon as the turn is recorded is not lost", async () => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: "tool message" });
    const { turnId } = await reader.until("checkpoint");
    await live.client.steerTurn({ turnId, message: "say steered" });
    expect(said(await reader.rest())).toEqual(["steered"]);
  });

  it("of a turn that has ended is refused, whatever ended it", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const [ended] = await live.run({ sessionId, prompt: "say done" });
    const reader = live.open({ sessionId, prompt: script("say begun", "hang") });
    const { turnId } = await reader.until("text");
    await live.client.interruptTurn({ turnId });
    for (const turn of [ended!.turnId, turnId]) {
      const late = live.client.steerTurn({ turnId: turn, message: "say late" });
      expect(await refusalOf(late)).toMatchObject({
        code: "FailedPrecondition",
        reason: "TURN_ENDED",
      });
    }
    expect(said(await live.run({ sessionId, prompt: "say next" }))).toEqual(["next"]);
    expect((await live.played(sessionId)).map(({ prompt }) => prompt)).not.toContain("say late");
  });

  it("with a request_id that was used for something else is refused", async () => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: script("think begun", "tool message") });
    const { turnId } = await reader.until("tool");
    const requestId = randomUUID();
    await live.client.steerTurn({ turnId, message: "say one", requestId });
    const other = live.client.steerTurn({ turnId, message: "say two", requestId });
    expect(await refusalOf(other)).toMatchObject({
      code: "AlreadyExists",
      reason: "REQUEST_ID_REUSED",
    });
    expect(said(await reader.rest())).toEqual(["one"]);
    const run = live.client.runTurn({ prompt: "say one", requestId });
    expect(await refusalOf(run)).toMatchObject({ reason: "REQUEST_ID_REUSED" });
  });

  it("while the turn is interrupted leaves nothing behind in the process", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const reader = live.open({ sessionId, prompt: script("pid", "hang") });
    const { turnId } = await reader.until("text");
    await live.client.steerTurn({ turnId, message: "say steered" });
    await live.client.interruptTurn({ turnId });
    const next = await live.run({ sessionId, prompt: script("pid", "say next") });
    expect(said(next).slice(1)).toEqual(["next"]);
    expect(pidOf(next)).toBe(pidOf(reader.seen));
  });
});
