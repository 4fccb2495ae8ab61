import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { bytes, ended, endOf, GONE, PRINCIPAL, removeAll, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** What is taken off the record, and when it is gone. */
export function describeRemoval(open: OpenStore): void {
  it("removes a session with all that belongs to it, unless its turn runs", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turn, session } = await store.createTurn(turnStart());
    const remove = () => store.deleteNamed(session.sessionId, PRINCIPAL, 9);
    await expect(remove()).rejects.toMatchObject({ reason: "TURN_IN_PROGRESS" });
    await store.append(endOf(turn.turnId));
    expect(await remove()).toMatchObject({ workspace: session.workspace });
    await expect(remove()).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(store.getTurn(turn.turnId, PRINCIPAL)).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
    expect(await store.readEvents(turn.turnId, 0, 1000)).toEqual([]);
  });

  it("removes what is off the record piece by piece, and goes on where it was", async () => {
    await using opened = await open();
    let { store } = opened;
    const start = turnStart({ requestId: randomUUID() });
    const { turnId, requestId } = start;
    await store.createTurn(start);
    const steer = { principal: PRINCIPAL, requestId: randomUUID(), message: "look there" };
    await store.append({ turnId, firstSequence: 1, events: bytes("s"), time: 1, steer });
    const events = Array.from({ length: 10_000 }, () => new Uint8Array(10));
    await store.append({ ...endOf(turnId), firstSequence: 2, events });
    const { sessionId } = start.newSession;
    await store.deleteNamed(sessionId, PRINCIPAL, 9);
    const day = 24 * 3600 * 1000;
    for (let more = true, pieces = 1; more; pieces++) {
      more = await store.removeSome();
      expect(pieces).toBeLessThan(100);
      if (pieces === 2) expect(more).toBe(true);
      if (pieces === 2) store = await opened.reopen();
      expect(await store.readEvents(turnId, 0, 1000)).toEqual([]);
      await expect(store.getTurn(turnId, PRINCIPAL)).rejects.toMatchObject(GONE);
      await expect(store.createTurn(start)).rejects.toMatchObject(GONE);
      const late = turnStart({ requestId, time: 9 + day });
      await expect(store.createTurn(late)).rejects.toMatchObject(GONE);
      await expect(store.findSteer(turnId, steer)).rejects.toMatchObject(GONE);
      expect((await store.listRemovals()).map((removed) => removed.sessionId)).toEqual([sessionId]);
    }
    expect(await store.removeSome()).toBe(false);
    await store.recordRemoved(start.newSession.workspace);
    expect(await store.listRemovals()).toEqual([]);
    const afterwards = turnStart({ requestId, time: 9 + day + 1 });
    expect((await store.createTurn(afterwards)).joined).toBe(false);
  });

  it("removes turns that ended long enough ago, the oldest first, and sessions with their last", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = turnStart({ requestId: randomUUID() });
    await store.createTurn(first);
    await store.append({ ...endOf(first.turnId), time: 10 });
    const { sessionId, agentKind, workspace, agentSessionId } = first.newSession;
    const { sessionKey } = await store.getSession(sessionId, PRINCIPAL);
    const second = turnStart({ session: sessionId });
    await store.createTurn(second);
    await store.append({ ...endOf(second.turnId), time: 20 });
    const running = turnStart();
    await store.createTurn(running);

    expect(await store.removeEndedTurns(10, 10, 100)).toEqual({ turns: 0, sessions: [] });
    expect(await store.removeEndedTurns(100, 1, 100)).toEqual({ turns: 1, sessions: [] });
    await expect(store.getTurn(first.turnId, PRINCIPAL)).rejects.toMatchObject(GONE);
    expect(await store.readEvents(first.turnId, 0, 1000)).toEqual([]);
    expect((await store.getSession(sessionId, PRINCIPAL)).turnCount).toBe(1);

    const home = store.lease.owner;
    const place = { sessionId, sessionKey, agentKind, workspace, home };
    const removed = { ...place, agentSessionIds: [agentSessionId] };
    const last = await store.removeEndedTurns(100, 10, 100);
    expect(last).toEqual({ turns: 1, sessions: [removed] });
    await expect(store.getSession(sessionId, PRINCIPAL)).rejects.toMatchObject(GONE);
    expect((await store.getTurn(running.turnId, PRINCIPAL)).turnId).toBe(running.turnId);
    // A retry of what was removed runs nothing.
    await expect(store.createTurn(first)).rejects.toMatchObject(GONE);

    const reopened = await opened.reopen();
    expect(await reopened.listRemovals()).toEqual([removed]);
    await reopened.recordRemoved(workspace);
    await reopened.recordRemoved(workspace);
    expect(await reopened.listRemovals()).toEqual([]);
  });

  it("takes turns with many events off the record at once, and removes them in pieces", async () => {
    await using opened = await open();
    const { store } = opened;
    const events = Array.from({ length: 1500 }, () => new Uint8Array(1));
    for (let time = 1; time <= 3; time++) {
      const start = turnStart();
      await store.createTurn(start);
      await store.append({ ...endOf(start.turnId), events, time });
    }
    expect((await store.removeEndedTurns(100, 10, 100)).turns).toBe(3);
    expect((await store.removeEndedTurns(100, 10, 100)).turns).toBe(0);
    expect((await store.listSessions(PRINCIPAL, 10, undefined)).items).toEqual([]);
    expect(await removeAll(store)).toBeGreaterThan(2);
  });

  it("lists a deleted session as one to be removed", async () => {
    await using opened = await open();
    const { store } = opened;
    const { newSession } = await ended(store);
    await store.deleteNamed(newSession.sessionId, PRINCIPAL, 3);
    const [removal] = await store.listRemovals();
    expect(removal?.workspace).toBe(newSession.workspace);
    expect(await store.listRemovals(`not ${store.lease.owner}`)).toEqual([]);
  });
}
