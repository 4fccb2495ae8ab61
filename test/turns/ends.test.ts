import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { callerNamed, nameOf } from "../support/caller.ts";
import { cases, valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import {
  PRINCIPAL,
  pass,
  request,
  result,
  session,
  startDrivenTurns,
  text,
} from "./driven-turns.ts";

const STORAGE = { reason: "STORAGE" };

describe("the end that the agent gives a turn, where the store takes it only later", () => {
  it("is the turn's end all the same, with its result and what came with it", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    run.give([text()]);
    await eventually(
      () => driven.readLog(turnId),
      ({ length }) => length === 1,
    );
    await driven.fillDisk();
    run.give([text(), request("a"), result()]);
    await expect(driven.turns.cancel(turnId, callerNamed(PRINCIPAL))).rejects.toMatchObject(
      STORAGE,
    );
    run.leave();
    await driven.clearDisk();
    expect(await driven.ended(turnId)).toMatchObject({ state: TurnState.SUCCEEDED });
    const log = await driven.readLog(turnId);
    const kinds = ["text", "text", "approvalRequest", "approvalResolution", "result"];
    expect(cases(log)).toEqual(kinds);
    expect(log.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
  });

  it("is so too behind events that the store did not take either", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    await driven.fillDisk();
    driven.store.isHeld = true;
    run.give([text(), request("a")]);
    await pass();
    run.give([result()]);
    run.leave();
    await pass();
    driven.store.isHeld = false;
    driven.store.release(2);
    await expect(driven.turns.cancel(turnId, callerNamed(PRINCIPAL))).rejects.toMatchObject(
      STORAGE,
    );
    await driven.clearDisk();
    expect(await driven.ended(turnId)).toMatchObject({ state: TurnState.SUCCEEDED });
    const kinds = ["text", "approvalRequest", "approvalResolution", "result"];
    expect(cases(await driven.readLog(turnId))).toEqual(kinds);
  });
});

describe("the first cause of an end", () => {
  it("is the turn's where the store takes a cancel only later", async () => {
    await using driven = await startDrivenTurns();
    const { turnId } = await driven.begin();
    await driven.fillDisk();
    await expect(driven.turns.cancel(turnId, callerNamed(PRINCIPAL))).rejects.toMatchObject(
      STORAGE,
    );
    await driven.clearDisk();
    expect(await driven.ended(turnId)).toMatchObject({ state: TurnState.CANCELED });
    expect(cases(await driven.readLog(turnId))).toEqual(["error"]);
  });

  it("is the turn's whatever comes until its processes are gone", async () => {
    await using driven = await startDrivenTurns({ limits: { idleTimeoutMs: 30 } });
    const { turnId, run } = await driven.begin();
    const processes = Promise.withResolvers<void>();
    run.lastProcess = processes.promise;
    await eventually(
      () => run.isOver,
      (isStopped) => isStopped,
    );
    const canceled = driven.turns.cancel(turnId, callerNamed(PRINCIPAL));
    await driven.turns.getTurn(turnId, callerNamed(PRINCIPAL)); // Behind what the cancel asked for.
    await pass();
    expect(await driven.readLog(turnId)).toEqual([]);
    processes.resolve();
    expect(await canceled).toMatchObject({ errorReason: ErrorReason.IDLE_TIMEOUT });
    expect(await driven.readLog(turnId)).toHaveLength(1);
  });

  it("is so too where the store fails while the agent's processes end", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    await driven.fillDisk();
    driven.store.isHeld = true;
    run.give([text(), request("a")]);
    await pass();
    const drained = driven.turns.drain(0);
    await eventually(
      () => run.isOver,
      (isStopped) => isStopped,
    );
    driven.store.isHeld = false;
    driven.store.release(1);
    await drained;
    await driven.clearDisk();
    expect(await driven.ended(turnId)).toMatchObject({
      state: TurnState.LOST,
      errorReason: ErrorReason.SERVER_SHUTDOWN,
    });
    const kinds = ["text", "approvalRequest", "approvalResolution", "error"];
    expect(cases(await driven.readLog(turnId))).toEqual(kinds);
  });
});

describe("a batch that is more than a turn's log holds", () => {
  it("leaves nothing of itself, no resolution of what it asked either", async () => {
    await using driven = await startDrivenTurns({ limits: { maxTurnBytes: 1000 } });
    const { turnId, run } = await driven.begin();
    run.give([request("recorded")]);
    run.give([request("never recorded"), text(2000)]);
    const { errorReason } = await driven.ended(turnId);
    expect(errorReason).toBe(ErrorReason.OUTPUT_LIMIT);
    const log = await driven.readLog(turnId);
    expect(cases(log)).toEqual(["approvalRequest", "approvalResolution", "error"]);
    expect(valuesOf(log, "approvalResolution")).toMatchObject([{ approvalId: "recorded" }]);
  });
});

describe("an end that comes with a conversation that is new", () => {
  it("waits for the store, and nothing else ends the turn meanwhile", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    await driven.fillDisk();
    run.agentSessionId = randomUUID();
    run.give([session(run.agentSessionId), result()]);
    run.leave();
    await expect(driven.turns.cancel(turnId, callerNamed(PRINCIPAL))).rejects.toMatchObject(
      STORAGE,
    );
    await driven.clearDisk();
    const { state, sessionId } = await driven.ended(turnId);
    expect(state).toBe(TurnState.SUCCEEDED);
    const { agentSessionId } = await driven.turns.getSession(
      nameOf(PRINCIPAL, sessionId),
      callerNamed(PRINCIPAL),
    );
    expect(agentSessionId).toBe(run.agentSessionId);
  });

  it.each([
    ["its own", [session(randomUUID()), result()], TurnState.SUCCEEDED],
    ["a cancel", [text()], TurnState.CANCELED],
  ])("goes on without it where nobody can look into that: %s", async (_, batch, expected) => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const { sessionId } = await driven.turns.getTurn(turnId, callerNamed(PRINCIPAL));
    const { agentSessionId } = await driven.turns.getSession(
      nameOf(PRINCIPAL, sessionId),
      callerNamed(PRINCIPAL),
    );
    driven.agent.lookIntoConversation = () => Promise.reject(new Error("EACCES"));
    run.give(batch);
    await pass();
    run.agentSessionId = randomUUID();
    if (expected === TurnState.SUCCEEDED) run.leave();
    await driven.turns.cancel(turnId, callerNamed(PRINCIPAL));
    expect(await driven.ended(turnId)).toMatchObject({ state: expected });
    const log = await driven.readLog(turnId);
    for (const event of valuesOf(log, "session")) expect(event).toMatchObject({ agentSessionId });
    expect(
      (await driven.turns.getSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)))
        .agentSessionId,
    ).toBe(agentSessionId);
  });
});

describe("an end that cannot be written", () => {
  it("is a defect, and the turn still ends", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const end = result();
    Object.assign(end.value, { numTurns: 1.5 });
    run.give([request("a"), end]);
    run.leave();
    expect(await driven.ended(turnId)).toMatchObject({ errorReason: ErrorReason.AGENT_PROTOCOL });
    expect(cases(await driven.readLog(turnId))).toEqual(["error"]);
  });
});

describe("a turn that has ended", () => {
  it("is answered as it is where it is to be ended again, and takes no answer", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    run.give([result()]);
    run.leave();
    await driven.ended(turnId);
    const { turns } = driven;
    for (const again of [turns.cancel, turns.interrupt]) {
      const turn = await again.call(turns, turnId, callerNamed(PRINCIPAL));
      expect(turn).toMatchObject({ turnId, state: TurnState.SUCCEEDED });
    }
    const answer = { turnId, approvalId: "a", answer: { allow: true } } as const;
    await expect(turns.resolveApproval(answer, callerNamed(PRINCIPAL))).rejects.toMatchObject({
      reason: "APPROVAL_NOT_FOUND",
    });
  });
});
