import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { cases, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { type LiveServer, said, startLiveServer } from "./live-server.ts";

/** Has the agent of a new session begin work of its own that goes on until the gate opens. */
async function beginOwnTurn(live: LiveServer, ...steps: string[]) {
  const sessionId = randomUUID();
  const gate = createGate(live.server.root);
  const own = [...steps, gate.step, "say own ends"].join(" | ");
  await live.run({ sessionId, prompt: script(`background 10 ${own}`, "say one") });
  for await (const { change } of live.client.watchSession({ sessionId })) {
    if (change.value?.origin === TurnOrigin.AGENT) {
      return { sessionId, gate, ownTurnId: change.value.turnId };
    }
  }
  throw new Error("the watching ended");
}

describe("a prompt that waits for the agent's own turn", () => {
  it("is run once, however often it is asked for, and takes messages meanwhile", async () => {
    await using live = await startLiveServer();
    const { sessionId, gate } = await beginOwnTurn(live, "say own");
    const request = { sessionId, prompt: "tool message", requestId: randomUUID() };
    const reader = live.open(request);
    const { turnId } = await reader.until("checkpoint");
    const joined = collect(live.client.runTurn(request));
    await live.client.steerTurn({ turnId, message: "say steered" });
    gate.open();
    expect(said(await reader.rest())).toEqual(["steered"]);
    expect((await joined)[0]?.turnId).toBe(turnId);
    const prompts = (await live.played(sessionId)).map(({ prompt }) => prompt);
    expect(prompts.slice(1)).toEqual(["tool message", "say steered"]);
  });

  it("keeps the session from being deleted, and ends with the server, not run", async () => {
    await using live = await startLiveServer();
    const { sessionId, ownTurnId } = await beginOwnTurn(live);
    const reader = live.open({ sessionId, prompt: "say never" });
    const { turnId } = await reader.until("checkpoint");
    const deleted = live.client.deleteSession({ sessionId });
    expect(await refusalOf(deleted)).toMatchObject({ reason: "TURN_IN_PROGRESS" });
    const rest = reader.rest().catch(() => []);
    await live.server.restart();
    await rest;
    using after = connect(live.server.url);
    for (const id of [turnId, ownTurnId]) {
      const { turn } = await after.client.getTurn({ turnId: id });
      expect(turn?.state).toBe(TurnState.LOST);
    }
    const events = durable(await collect(after.client.attachTurn({ turnId })));
    expect(cases(events)).toEqual(["error"]);
    const next = await collect(after.client.runTurn({ sessionId, prompt: "say next" }));
    expect(said(next)).toEqual(["next"]);
  });

  it("runs where the process dies in the agent's own turn", async () => {
    await using live = await startLiveServer();
    const { sessionId, ownTurnId } = await beginOwnTurn(live, "say own");
    const reader = live.open({ sessionId, prompt: "say run" });
    await reader.until("checkpoint");
    for (const pid of live.server.processes()) process.kill(pid, "SIGKILL");
    expect(said(await reader.rest())).toEqual(["run"]);
    const { turn } = await live.client.getTurn({ turnId: ownTurnId });
    expect(turn?.state).toBe(TurnState.FAILED);
  });

  it("runs as soon as the agent's own turn is canceled", async () => {
    await using live = await startLiveServer();
    const { sessionId, ownTurnId } = await beginOwnTurn(live, "say own");
    const reader = live.open({ sessionId, prompt: "say run" });
    await reader.until("checkpoint");
    await live.client.cancelTurn({ turnId: ownTurnId });
    expect(said(await reader.rest())).toEqual(["run"]);
  });
});

describe("the agent's own turn", () => {
  it("asks, where the turn that caused it did", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    await using reader = new EventReader(
      live.client.runTurn({
        sessionId,
        prompt: script('background 10 ask Bash {"n":1}', "say one"),
        permissionMode: PermissionMode.ASK,
      }),
    );
    await reader.rest();
    for await (const { change } of live.client.watchSession({ sessionId })) {
      if (change.value?.origin !== TurnOrigin.AGENT) continue;
      const { turnId } = change.value;
      if (change.case === "turnEnded") break;
      await using own = new EventReader(live.client.attachTurn({ turnId }));
      const { kind } = await own.until("approvalRequest");
      if (kind.case !== "approvalRequest") throw new Error("not asked");
      const { approvalId } = kind.value;
      const decision = { case: "allow", value: {} } as const;
      await live.client.resolveApproval({ turnId, approvalId, decision });
      const events = await own.rest();
      expect(valuesOf(events, "toolResult")).toMatchObject([{ content: 'ran {"n":1}' }]);
    }
  });

  it("does not come where the session was deleted before", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    await live.run({ sessionId, prompt: script("background 300 say own", "say one") });
    await live.client.deleteSession({ sessionId });
    expect(await eventually(live.server.processes, ({ length }) => length === 0)).toEqual([]);
    expect(await refusalOf(live.client.getSession({ sessionId }))).toMatchObject({
      code: "NotFound",
    });
    const again = await live.run({ sessionId, prompt: "say again" });
    expect(cases(durable(again))).toEqual(["session", "text", "result"]);
    expect((await live.client.listTurns({ sessionId })).turns).toHaveLength(1);
  });

  it("can be interrupted, steered and read from any place like any other", async () => {
    await using live = await startLiveServer();
    const { sessionId, gate, ownTurnId } = await beginOwnTurn(live, "say own", "tool message");
    const events = collect(live.client.attachTurn({ turnId: ownTurnId }));
    await live.client.steerTurn({ turnId: ownTurnId, message: "say steered" });
    gate.open();
    expect(said(await events)).toEqual(["own", "steered", "own ends"]);
    const other = await beginOwnTurn(live, "say own");
    const { turn } = await live.client.interruptTurn({ turnId: other.ownTurnId });
    expect(turn?.state).toBe(TurnState.CANCELED);
    for (const id of [sessionId, other.sessionId]) {
      expect(said(await live.run({ sessionId: id, prompt: "say next" }))).toEqual(["next"]);
    }
  });
});
