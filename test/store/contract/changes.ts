import { expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { bytes, ended, endOf, GONE, ownStart, PRINCIPAL, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** Who is told of changes. */
export function describeChanges(open: OpenStore): void {
  it("tells who listens of each change of a session, and then it can be read", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = await ended(store);
    const { sessionId } = first.newSession;
    const { sessionKey } = await store.getSession(sessionId, PRINCIPAL);
    const heard = listened((listener) => store.changes.listenToSession(sessionKey, listener));
    const readChange = async () => (await store.listChanges(sessionId, PRINCIPAL, 0, 10)).length;

    const next = turnStart({ session: sessionId });
    void store.createTurn(next);
    await heard.until(async () => (await readChange()) === 3);
    void store.append(endOf(next.turnId));
    await heard.until(async () => (await readChange()) === 4);
    const isGone = () =>
      store.getSession(sessionId, PRINCIPAL).then(
        () => false,
        () => true,
      );
    void store.deleteNamed(sessionId, PRINCIPAL, 9);
    await heard.until(isGone);
  });

  it("tells who listens of a session that leaves with its last turn", async () => {
    await using opened = await open();
    const { store } = opened;
    const { newSession } = await ended(store);
    const { sessionId } = newSession;
    const { sessionKey } = await store.getSession(sessionId, PRINCIPAL);
    const heard = listened((listener) => store.changes.listenToSession(sessionKey, listener));
    void store.removeEndedTurns(100, 10, 100);
    await heard.until(() =>
      store.getSession(sessionId, PRINCIPAL).then(
        () => false,
        () => true,
      ),
    );
  });

  it("tells who listens of each change of a turn, and then it can be read", async () => {
    await using opened = await open();
    const { store } = opened;
    const { newSession } = await ended(store);
    const { sessionId: session } = newSession;
    const own = await ownStart(store, session);
    const waiting = turnStart({ session });
    for (const start of [own, waiting]) await store.createTurn(start);
    await store.append(endOf(own.turnId));
    const { turnId } = waiting;
    const heard = listened((listener) => store.changes.listenToTurn(turnId, listener));
    const read = () => store.getTurn(turnId, PRINCIPAL);

    void store.beginTurn(turnId);
    await heard.until(async () => (await read()).state === TurnState.RUNNING);
    void store.append({ turnId, firstSequence: 1, events: bytes("a"), time: 1 });
    await heard.until(async () => (await read()).lastSequence === 1);
    void store.append({ ...endOf(turnId), firstSequence: 2 });
    await heard.until(async () => (await read()).endTime !== undefined);
  });

  it("calls each listener for itself, until it is told to stop", async () => {
    await using opened = await open();
    const { store } = opened;
    const start = turnStart();
    const { sessionKey } = (await store.createTurn(start)).session;
    let stoppedCalls = 0;
    const stopped = () => void stoppedCalls++;
    const { changes } = store;
    const stops = [
      changes.listenToTurn(start.turnId, stopped),
      changes.listenToTurn(start.turnId, stopped),
      changes.listenToSession(sessionKey, stopped),
    ];
    const heard = listened((listener) => changes.listenToTurn(start.turnId, listener));
    for (const stop of [...stops, ...stops]) stop();
    const other = await ended(store);
    await store.append(endOf(start.turnId));
    const isEnded = async () =>
      (await store.getTurn(start.turnId, PRINCIPAL)).endTime !== undefined;
    await heard.until(isEnded);
    expect(stoppedCalls).toBe(0);
    expect(other.turnId).not.toBe(start.turnId);
  });

  it("tells a session's changes from a cursor on", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = await ended(store);
    const { sessionId: session } = first.newSession;
    const own = await ownStart(store, session);
    const second = turnStart({ session });
    for (const start of [own, second]) await store.createTurn(start);
    await store.append(endOf(own.turnId));
    const told = async (after: number, limit = 100) =>
      (await store.listChanges(session, PRINCIPAL, after, limit)).map(
        ({ cursor, kind, turn }) => [cursor, kind, turn.turnId] as const,
      );
    const all = [
      [1, "started", first.turnId],
      [2, "ended", first.turnId],
      [3, "started", own.turnId],
      [4, "started", second.turnId],
      [5, "ended", own.turnId],
    ];
    expect(await told(0)).toEqual(all);
    expect(await told(2, 2)).toEqual(all.slice(2, 4));
    expect(await told(5)).toEqual([]);
    await expect(told(6)).rejects.toMatchObject({ reason: "OUT_OF_RANGE" });
    await expect(store.listChanges(session, "bob", 0, 10)).rejects.toMatchObject(GONE);
    await store.removeEndedTurns(100, 1, 100);
    expect(await told(0)).toEqual(all.slice(2));
  });
}

/** Listens, and waits for what it is told. */
function listened(listen: (listener: () => void) => () => void) {
  let heard = Promise.withResolvers<void>();
  listen(() => heard.resolve());
  return {
    /** Resolves when something is so that is looked at after each call, and not before one. */
    async until(isSo: () => Promise<boolean>): Promise<void> {
      do {
        await heard.promise;
        heard = Promise.withResolvers();
      } while (!(await isSo()));
    },
  };
}
