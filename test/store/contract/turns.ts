import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { ownView } from "../../../src/store/views.ts";
import type { EventBatch } from "../../../src/store/writes.ts";
import type { OwnedStore } from "../../support/owned-store.ts";
import { bytes, endOf, GONE, PRINCIPAL, turnStart, UNSPENT } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** A turn and its session as they are recorded, told and listed. */
export function describeTurns(open: OpenStore): void {
  it("answers a turn and its session as they were recorded", async () => {
    await using opened = await open();
    const { store } = opened;
    const start = turnStart({ model: "opus", time: 1000 });
    const { turn, session, joined, today } = await store.createTurn(start);
    expect(joined).toBe(false);
    expect(today).toEqual({ day: 0, costUsd: 0, modelTurns: 0 });
    expect(turn).toEqual({
      turnId: start.turnId,
      sessionId: start.newSession.sessionId,
      sessionPrincipal: PRINCIPAL,
      sessionKey: session.sessionKey,
      state: TurnState.RUNNING,
      errorReason: ErrorReason.UNSPECIFIED,
      prompt: start.prompt,
      promptTruncated: false,
      principal: PRINCIPAL,
      model: "opus",
      agent: "the agent",
      lastSequence: 0,
      createTime: 1000,
      endTime: undefined,
      origin: TurnOrigin.CALLER,
      causeTurnId: "",
      permissionMode: PermissionMode.BYPASS,
      permissionDenialCount: 0,
      attachments: [],
      epoch: store.lease.epoch,
      ...UNSPENT,
    });
    expect(session).toEqual({
      ...start.newSession,
      home: store.lease.owner,
      isMoved: false,
      sessionKey: expect.any(String),
      principal: PRINCIPAL,
      createTime: 1000,
      lastActiveTime: 1000,
      runningTurnId: start.turnId,
      queuedTurnId: "",
      turnCount: 1,
      changeCount: 1,
      ...UNSPENT,
    });
    expect(await store.getTurn(start.turnId, PRINCIPAL)).toEqual(turn);
    const { turnId, state, prompt } = turn;
    const lastTurn = { turnId, state, prompt };
    expect(await store.getSession(session.sessionId, PRINCIPAL)).toEqual({
      ...session,
      lastTurn,
      shares: [],
    });
  });

  it("lets one turn run in a session, of those that are asked for at once", async () => {
    await using opened = await open();
    const { store } = opened;
    const { session, turn } = await store.createTurn(turnStart());
    await store.append(endOf(turn.turnId));
    const starts = Array.from({ length: 8 }, () => turnStart({ session: session.sessionId }));
    const settled = await Promise.allSettled(starts.map((start) => store.createTurn(start)));
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const { runningTurnId } = await store.getSession(session.sessionId, PRINCIPAL);
    const refused = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    for (const reason of refused) {
      expect(reason).toMatchObject({
        reason: "TURN_IN_PROGRESS",
        details: { metadata: { turn_id: runningTurnId } },
      });
    }
  });

  it("keeps what a turn is waiting for", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId } = (await store.createTurn(turnStart())).turn;
    const batch = (firstSequence: number, state: TurnState): EventBatch => ({
      ...{ turnId, firstSequence, events: bytes("x"), time: 1, state },
    });
    await store.append(batch(1, TurnState.AWAITING_APPROVAL));
    expect((await store.getTurn(turnId, PRINCIPAL)).state).toBe(TurnState.AWAITING_APPROVAL);
    await store.append(batch(2, TurnState.RUNNING));
    expect((await store.getTurn(turnId, PRINCIPAL)).state).toBe(TurnState.RUNNING);
  });

  it("tells the last event of a turn that runs, wherever it tells of the turn", async () => {
    await using opened = await open();
    const { store } = opened;
    const requestId = randomUUID();
    const start = turnStart({ requestId });
    const { turnId } = start;
    const { sessionId } = (await store.createTurn(start)).session;
    const append = (firstSequence: number, ...events: string[]) =>
      store.append({ turnId, firstSequence, events: bytes(...events), time: 1 });
    const expectEverywhere = async (from: OwnedStore, lastSequence: number) => {
      const told = [
        await from.getTurn(turnId, PRINCIPAL),
        (await from.createTurn(start)).turn,
        ...(await from.listTurns(sessionId, PRINCIPAL, 10, undefined)).items,
        ...(await from.listChanges(sessionId, PRINCIPAL, 0, 10)).map(({ turn }) => turn),
      ];
      expect(told.map((turn) => turn.lastSequence)).toEqual(Array(4).fill(lastSequence));
    };
    await expectEverywhere(store, 0);
    await append(1, "a");
    await expectEverywhere(store, 1);
    await append(2, "b", "c");
    await expectEverywhere(store, 3);
    const reopened = await opened.reopen();
    await expectEverywhere(reopened, 3);
    expect(await reopened.listLeftTurns()).toMatchObject([{ turnId, lastSequence: 3 }]);
  });

  it("lists turns with many attachments in parts that fit into a response", async () => {
    await using opened = await open();
    const { store } = opened;
    const attachments = Array.from({ length: 20 }, (_, n) => ({
      name: `${n}`.padStart(255, "n"),
      mediaType: `${"a".repeat(127)}/${"b".repeat(127)}`,
      size: 1,
    }));
    const first = turnStart({ attachments });
    const { sessionId: session } = first.newSession;
    const starts = Array.from({ length: 350 }, () =>
      turnStart({ attachments, session, maxSessionTurns: 1000 }),
    );
    const all = [first, ...starts].flatMap((start) => [
      store.createTurn(start),
      store.append(endOf(start.turnId)),
    ]);
    await Promise.all(all);
    const { items, next } = await store.listTurns(session, PRINCIPAL, 1000, undefined);
    const changes = await store.listChanges(session, PRINCIPAL, 0, 1000);
    for (const turns of [items, changes.map(({ turn }) => turn)]) {
      expect(turns.length).toBeGreaterThan(100);
      expect(JSON.stringify(turns, (_, value) => value ?? "").length).toBeLessThan(3 * 1024 * 1024);
    }
    const rest = await store.listTurns(session, PRINCIPAL, 1000, next);
    expect(items.length + rest.items.length).toBe(351);
  });

  it("shows an approver the turns that ask, whoever's they are, and no others", async () => {
    await using opened = await open();
    const { store } = opened;
    const view = (seesAsking: boolean) => ({ ...ownView("bob"), seesAsking });
    const asks = turnStart({ permissionMode: PermissionMode.ASK });
    const other = turnStart();
    for (const start of [asks, other]) await store.createTurn(start);
    expect((await store.getTurn(asks.turnId, view(true))).turnId).toBe(asks.turnId);
    for (const [turnId, seesAsking] of [
      [asks.turnId, false] as const,
      [other.turnId, true] as const,
    ]) {
      await expect(store.getTurn(turnId, view(seesAsking))).rejects.toMatchObject(GONE);
    }
  });

  it("takes so many turns of a session and no more, but joins one that is there", async () => {
    await using opened = await open();
    const { store } = opened;
    const start = { ...turnStart({ requestId: randomUUID() }), maxSessionTurns: 1 };
    await store.createTurn(start);
    const { sessionId: session } = start.newSession;
    const next = turnStart({ session, maxSessionTurns: 1 });
    await expect(store.createTurn(next)).rejects.toMatchObject({ reason: "SESSION_FULL" });
    expect((await store.createTurn(start)).joined).toBe(true);
  });

  it("refuses everything once it is closed", async () => {
    await using opened = await open();
    await opened.store.close();
    await opened.store.close();
    await expect(opened.store.createTurn(turnStart())).rejects.toMatchObject({ reason: "STORAGE" });
  });
}
