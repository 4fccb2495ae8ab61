import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import {
  bytes,
  ENDED,
  ended,
  endOf,
  GONE,
  PRINCIPAL,
  removeAll,
  texts,
  turnStart,
} from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** Whose a session is, what it holds, and what it has spent. */
export function describeSessions(open: OpenStore): void {
  it("shows nothing of one principal to another", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turn } = await store.createTurn(turnStart());
    const { turnId, sessionId } = turn;
    await store.append(endOf(turnId));
    const asked = [
      () => store.getTurn(turnId, "bob"),
      () => store.getSession(sessionId, "bob"),
      () => store.listTurns(sessionId, "bob", 10, undefined),
      () => store.listChanges(sessionId, "bob", 0, 10),
      () => store.deleteNamed(sessionId, "bob", 1),
    ];
    for (const ask of asked) await expect(ask()).rejects.toMatchObject({ reason: "NOT_FOUND" });
    expect(await store.listSessions("bob", 10, undefined)).toEqual({ items: [], next: undefined });
    expect((await store.listSessions(PRINCIPAL, 10, undefined)).items).toHaveLength(1);
  });

  it("keeps sessions apart that two principals have under one id", async () => {
    await using opened = await open();
    const { store } = opened;
    const sessionId = randomUUID();
    const starts = [PRINCIPAL, "bob"].map((principal) => ({
      ...turnStart({ session: sessionId, requestId: randomUUID() }),
      principal,
    }));
    const [alice, bob] = await Promise.all(starts.map((start) => store.createTurn(start)));
    for (const { turn, session } of [alice!, bob!]) {
      expect([turn.sessionId, session.sessionId]).toEqual([sessionId, sessionId]);
      expect(turn.sessionKey).toBe(session.sessionKey);
    }
    expect(alice!.session.sessionKey).not.toBe(bob!.session.sessionKey);
    expect(await store.getSession(sessionId, "bob")).toMatchObject(bob!.session);
    const listed = await store.listTurns(sessionId, "bob", 10, undefined);
    expect(listed.items).toEqual([bob!.turn]);
    for (const start of starts) {
      expect((await store.createTurn(start)).turn.principal).toBe(start.principal);
      await store.append(endOf(start.turnId));
    }
    await store.deleteNamed(sessionId, "bob", 5);
    expect((await store.getSession(sessionId, PRINCIPAL)).turnCount).toBe(1);
    expect(await store.getTurn(alice!.turn.turnId, PRINCIPAL)).toMatchObject({ sessionId });
  });

  it("has a session opened again under an id be another one, which the removal does not touch", async () => {
    await using opened = await open();
    const { store } = opened;
    const { newSession, turnId } = await ended(store);
    const { sessionId } = newSession;
    const before = await store.getSession(sessionId, PRINCIPAL);
    await store.deleteNamed(sessionId, PRINCIPAL, 5);
    const again = turnStart({ session: sessionId });
    const { session } = await store.createTurn(again);
    expect(session.sessionKey).not.toBe(before.sessionKey);
    expect(session).toMatchObject({ turnCount: 1, changeCount: 1 });
    const changes = (key: string) => store.listChanges(sessionId, PRINCIPAL, 0, 10, key);
    await expect(changes(before.sessionKey)).rejects.toMatchObject(GONE);
    expect(await changes(session.sessionKey)).toHaveLength(1);
    await store.append({ ...endOf(again.turnId), events: bytes("kept") });
    await removeAll(store);
    await store.recordRemoved(newSession.workspace);
    expect(texts(await store.readEvents(again.turnId, 0, 1000))).toEqual(["kept"]);
    expect(await store.readEvents(turnId, 0, 1000)).toEqual([]);
    const [own] = (await store.listTurns(sessionId, PRINCIPAL, 10, undefined)).items;
    expect(own?.turnId).toBe(again.turnId);
    // Also where nothing is left of those before it.
    await store.deleteNamed(sessionId, PRINCIPAL, 6);
    await store.recordRemoved(session.workspace);
    await removeAll(store);
    const third = (await store.createTurn(turnStart({ session: sessionId }))).session;
    expect([before.sessionKey, session.sessionKey]).not.toContain(third.sessionKey);
  });

  it("keeps each conversation one session's, until nothing is left of that", async () => {
    await using opened = await open();
    const { store } = opened;
    const [one, other] = [await ended(store), await ended(store)];
    const { sessionKey } = await store.getSession(one.newSession.sessionId, PRINCIPAL);
    const stranger = await store.getSession(other.newSession.sessionId, PRINCIPAL);
    const next = randomUUID();
    expect(await store.claimConversation(sessionKey, next)).toBe(true);
    expect(await store.claimConversation(sessionKey, next)).toBe(true);
    for (const taken of [next, one.newSession.agentSessionId]) {
      expect(await store.claimConversation(stranger.sessionKey, taken)).toBe(false);
    }
    // Whoever asks for one without having claimed it does not get it either.
    const turn = turnStart({ session: other.newSession.sessionId });
    await store.createTurn(turn);
    const batch = { turnId: turn.turnId, firstSequence: 1, events: bytes("x"), time: 1 };
    await store.append({ ...batch, agentSessionId: next });
    const kept = await store.getSession(other.newSession.sessionId, PRINCIPAL);
    expect(kept.agentSessionId).toBe(other.newSession.agentSessionId);
    await store.append({ ...batch, firstSequence: 2, agentSessionId: randomUUID(), end: ENDED });

    const removed = await store.deleteNamed(one.newSession.sessionId, PRINCIPAL, 5);
    const own = [next, one.newSession.agentSessionId].toSorted();
    expect(removed.agentSessionIds.toSorted()).toEqual(own);
    const reopened = await opened.reopen();
    expect((await reopened.listRemovals())[0]?.agentSessionIds.toSorted()).toEqual(own);
    expect(await reopened.claimConversation(stranger.sessionKey, next)).toBe(false);
    await removeAll(reopened);
    await reopened.recordRemoved(removed.workspace);
    expect(await reopened.claimConversation(stranger.sessionKey, next)).toBe(true);
  });

  it("sums what a session's turns have spent", async () => {
    await using opened = await open();
    const { store } = opened;
    const usage = (n: bigint) => ({
      inputTokens: n,
      outputTokens: 2n * n,
      cacheReadInputTokens: 0n,
      cacheCreationInputTokens: 2n ** 63n,
    });
    const first = await store.createTurn(turnStart());
    const { sessionId: session } = first.session;
    const end = { ...ENDED, usage: usage(5n), totalCostUsd: 0.25, permissionDenialCount: 3 };
    await store.append({ ...endOf(first.turn.turnId), end });
    const most = 2n ** 53n - 1n;
    const kept = { ...usage(5n), cacheCreationInputTokens: most };
    const record = await store.getTurn(first.turn.turnId, PRINCIPAL);
    expect(record).toMatchObject({ usage: kept, totalCostUsd: 0.25, permissionDenialCount: 3 });

    const second = await store.createTurn(turnStart({ session }));
    await store.append(endOf(second.turn.turnId));
    expect((await store.getTurn(second.turn.turnId, PRINCIPAL)).usage).toBeUndefined();
    const third = await store.createTurn(turnStart({ session }));
    const more = { ...ENDED, usage: { ...usage(7n), cacheCreationInputTokens: 0n } };
    await store.append({ ...endOf(third.turn.turnId), end: { ...more, totalCostUsd: 0.5 } });
    expect(await store.getSession(session, PRINCIPAL)).toMatchObject({
      totalCostUsd: 0.75,
      usage: { inputTokens: 12n, outputTokens: 24n, cacheCreationInputTokens: most },
    });
  });

  it("keeps a session whose agent tells of more tokens than can be counted", async () => {
    await using opened = await open();
    const { store } = opened;
    const most = 2n ** 53n - 1n;
    const spent = {
      inputTokens: 2n ** 64n - 1n,
      outputTokens: 1n,
      cacheReadInputTokens: 0n,
      cacheCreationInputTokens: 0n,
    };
    const first = turnStart();
    const { sessionId: session } = first.newSession;
    for (const start of [first, turnStart({ session }), turnStart({ session })]) {
      await store.createTurn(start);
      const end = { ...ENDED, usage: spent, totalCostUsd: Number.NaN };
      await store.append({ ...endOf(start.turnId), end });
    }
    const sums = { usage: { ...spent, inputTokens: most, outputTokens: 3n }, totalCostUsd: 0 };
    expect(await store.getSession(session, PRINCIPAL)).toMatchObject(sums);
    expect((await store.listSessions(PRINCIPAL, 10, undefined)).items).toHaveLength(1);
  });

  it("shows of each session its newest turn on record, with the beginning of its prompt", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = await ended(store);
    const session = first.newSession.sessionId;
    const next = turnStart({ session, prompt: "é".repeat(1000), time: 2 });
    await store.createTurn(next);
    const { lastTurn } = await store.getSession(session, PRINCIPAL);
    const shown = { turnId: next.turnId, state: TurnState.RUNNING, prompt: "é".repeat(128) };
    expect(lastTurn).toEqual(shown);
    const [listed] = (await store.listSessions(PRINCIPAL, 10, undefined)).items;
    expect(listed?.lastTurn).toEqual(shown);
    await store.append(endOf(next.turnId));
    const after = await store.getSession(session, PRINCIPAL);
    expect(after.lastTurn).toMatchObject({ turnId: next.turnId, state: ENDED.state });
  });
}
