import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { bytes, ended, endOf, GONE, ownStart, PRINCIPAL, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** What a server before left, and what it may write no more. */
export function describeRestarts(open: OpenStore): void {
  it("knows what a server before left behind", async () => {
    await using opened = await open();
    const { store } = opened;
    const [running, ended] = [turnStart(), turnStart()];
    for (const start of [running, ended]) await store.createTurn(start);
    await store.append({ turnId: running.turnId, firstSequence: 1, events: bytes("a"), time: 1 });
    await store.append(endOf(ended.turnId));
    const { sessionId, workspace } = running.newSession;
    const { sessionKey } = await store.getSession(sessionId, PRINCIPAL);
    const lives = { processId: "lives", sessionKey, workspace };
    const waits = { processId: "waits", sessionKey: "", workspace: "/elsewhere" };
    for (const process of [lives, waits, { ...lives, processId: "ends" }]) {
      await store.recordProcess(process);
    }
    await store.recordProcessGone("ends");
    await store.recordProcessGone("ends");
    const reopened = await opened.reopen();
    expect(await reopened.listLeftTurns()).toEqual([
      { turnId: running.turnId, sessionId, sessionKey, lastSequence: 1, wasQueued: false },
    ]);
    expect(await reopened.listLeftProcesses()).toEqual([lives, waits]);
    const { owner } = reopened.lease;
    expect(await reopened.listLeftTurns(`not ${owner}`)).toEqual([]);
    expect(await reopened.listLeftProcesses(`not ${owner}`)).toEqual([]);
  });

  it("does not take for left behind what is recorded under the lease that holds", async () => {
    await using opened = await open();
    const { store } = opened;
    const start = turnStart();
    await store.createTurn(start);
    await store.recordProcess({ processId: "lives", sessionKey: "", workspace: "/elsewhere" });
    expect(await store.listLeftTurns()).toEqual([]);
    expect(await store.listLeftProcesses()).toEqual([]);
    // Nor is what was left once it has ended.
    const reopened = await opened.reopen();
    await reopened.append(endOf(start.turnId));
    await reopened.recordProcessGone("lives");
    expect(await reopened.listLeftTurns()).toEqual([]);
    expect(await reopened.listLeftProcesses()).toEqual([]);
  });

  it("is opened under a later lease each time, for the same owner", async () => {
    await using opened = await open();
    const leases = [opened.store.lease];
    for (let times = 0; times < 3; times++) {
      const store = times === 0 ? opened.store : await opened.reopen();
      await ended(store);
      leases.push(store.lease);
    }
    expect(new Set(leases.map(({ owner }) => owner)).size).toBe(1);
    const epochs = leases.slice(1).map(({ epoch }) => epoch);
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
    expect(new Set(epochs).size).toBe(3);
  });

  it("leaves its lease as it is where it is asked whether it takes writes", async () => {
    await using opened = await open();
    const { store } = opened;
    await store.checkWritable([], store.lease.epoch);
    await store.checkWritable([], store.lease.epoch);
    const after = await opened.reopen();
    expect(after.lease.epoch).toBe(store.lease.epoch + 1);
  });

  it("refuses what is written under a lease that has ended, and keeps nothing of it", async () => {
    await using opened = await open();
    const { epoch: ended } = opened.store.lease;
    const left = turnStart();
    const { session } = await opened.store.createTurn(left);
    const own = await ownStart(opened.store, session.sessionId);
    await opened.store.append(endOf(left.turnId));
    await opened.store.createTurn(own);
    const waiting = turnStart({ session: session.sessionId });
    await opened.store.createTurn(waiting);

    const store = await opened.reopen();
    const process = { processId: "stale", sessionKey: "", workspace: "/elsewhere" };
    const steer = { principal: PRINCIPAL, requestId: randomUUID(), message: "look there" };
    const { turnId } = own;
    const one = { turnId, firstSequence: 1, events: bytes("x"), time: 1 };
    const stale = turnStart();
    for (const write of [
      () => store.createTurn(stale, ended),
      () => store.append(one, ended),
      () => store.append({ ...one, events: bytes("x", "y"), steer }, ended),
      () => store.append(endOf(turnId), ended),
      () => store.claimConversation(session.sessionKey, "stale", ended),
      () => store.recordProcess(process, ended),
      () => store.checkWritable([], ended),
    ]) {
      await expect(write()).rejects.toMatchObject({ reason: "FENCED" });
    }
    expect(await store.readEvents(turnId, 0, 1000)).toEqual([]);
    expect(await store.getTurn(turnId, PRINCIPAL)).toMatchObject({ lastSequence: 0, epoch: ended });
    expect(await store.findSteer(turnId, steer)).toBeUndefined();
    const gone = store.getSession(stale.newSession.sessionId, PRINCIPAL);
    await expect(gone).rejects.toMatchObject(GONE);

    // Who takes the turns over ends them, under a lease of his own.
    await store.append(endOf(turnId));
    await expect(store.beginTurn(waiting.turnId, ended)).rejects.toMatchObject({
      reason: "FENCED",
    });
    const { queuedTurnId } = await store.getSession(session.sessionId, PRINCIPAL);
    expect(queuedTurnId).toBe(waiting.turnId);
    const stranger = await store.createTurn(turnStart());
    const claimed = store.claimConversation(stranger.session.sessionKey, "stale");
    expect(await claimed).toBe(true);
    const after = await opened.reopen();
    expect(await after.listLeftProcesses()).toEqual([]);
  });

  it("does not let a refused write of an ended lease take others with it", async () => {
    await using opened = await open();
    const { epoch: ended } = opened.store.lease;
    const start = turnStart();
    await opened.store.createTurn(start);
    const store = await opened.reopen();
    const { turnId } = start;
    const settled = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => {
        const batch = { turnId, firstSequence: Math.floor(n / 2) + 1, events: bytes("x"), time: 1 };
        return n % 2 === 0 ? store.append(batch, ended) : store.append(batch);
      }),
    );
    const expected = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? "rejected" : "fulfilled"));
    expect(settled.map(({ status }) => status)).toEqual(expected);
    expect(await store.readEvents(turnId, 0, 1000)).toHaveLength(10);
  });
}
