import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { Store, TurnStart } from "../../src/store/store.ts";

/** An empty store, and how to open it again as the next server does. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  /** Closes it and opens it again. */
  reopen(): Promise<Store>;
}

const PRINCIPAL = "alice";
const ENDED = { state: TurnState.SUCCEEDED, errorReason: ErrorReason.UNSPECIFIED };
const bytes = (...texts: string[]) => texts.map((text) => new TextEncoder().encode(text));
const texts = (events: Uint8Array[]) => events.map((event) => new TextDecoder().decode(event));

/** What turns rely on, whatever keeps them. */
export function describeStore(open: () => Promise<StoreUnderTest>): void {
  it("answers a turn and its session as they were recorded", async () => {
    await using opened = await open();
    const { store } = opened;
    const start = turnStart({ model: "opus", time: 1000 });
    const { turn, session, joined } = await store.createTurn(start);
    expect(joined).toBe(false);
    expect(turn).toEqual({
      turnId: start.turnId,
      sessionId: start.newSession.sessionId,
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
    });
    expect(session).toEqual({
      ...start.newSession,
      principal: PRINCIPAL,
      createTime: 1000,
      lastActiveTime: 1000,
      runningTurnId: start.turnId,
      turnCount: 1,
    });
    expect(await store.getTurn(start.turnId, PRINCIPAL)).toEqual(turn);
    expect(await store.getSession(session.sessionId, PRINCIPAL)).toEqual(session);
  });

  it("gives events back as they were appended, also when it is opened again", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId } = (await store.createTurn(turnStart())).turn;
    await store.append({ turnId, firstSequence: 1, events: bytes("a", "b"), time: 5 });
    await store.append({ turnId, firstSequence: 3, events: bytes("c"), time: 6, end: ENDED });
    await expectAll(store);
    await expectAll(await opened.reopen());

    async function expectAll(from: Store): Promise<void> {
      expect(texts(await from.readEvents(turnId, 0, 1000))).toEqual(["a", "b", "c"]);
      expect(texts(await from.readEvents(turnId, 1, 1000))).toEqual(["b", "c"]);
      expect(texts(await from.readEvents(turnId, 3, 1000))).toEqual([]);
      expect(texts(await from.readEvents(turnId, 0, 1))).toEqual(["a"]);
      expect(await from.getTurn(turnId, PRINCIPAL)).toMatchObject({
        state: TurnState.SUCCEEDED,
        lastSequence: 3,
        endTime: 6,
      });
    }
  });

  it("takes no batch that leaves a gap, repeats, or comes after the end", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId } = (await store.createTurn(turnStart())).turn;
    const append = (firstSequence: number, end?: typeof ENDED) =>
      store.append({ turnId, firstSequence, events: bytes("x"), time: 1, ...(end && { end }) });
    await append(1);
    for (const sequence of [1, 3, 0]) {
      await expect(append(sequence)).rejects.toMatchObject({ reason: "STORAGE" });
    }
    await append(2, ENDED);
    await expect(append(3)).rejects.toMatchObject({ reason: "STORAGE" });
    expect(await store.readEvents(turnId, 0, 1000)).toHaveLength(2);
  });

  it("does what is asked at once in the order in which it was asked", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId } = (await store.createTurn(turnStart())).turn;
    const appended = Array.from({ length: 100 }, (_, n) =>
      store.append({ turnId, firstSequence: n + 1, events: bytes(`event ${n + 1}`), time: n }),
    );
    await Promise.all(appended);
    const read = texts(await store.readEvents(turnId, 0, 1_000_000));
    expect(read).toEqual(Array.from({ length: 100 }, (_, n) => `event ${n + 1}`));
  });

  it("does not let failed writes take others with them", async () => {
    await using opened = await open();
    const { store } = opened;
    const start = turnStart();
    const { turnId } = (await store.createTurn(start)).turn;
    const asked = Array.from({ length: 20 }, (_, n) => [
      store.append({ turnId, firstSequence: n + 1, events: bytes(`${n + 1}`), time: n }),
      // One is refused, the other is an error of the database's own: an id that is taken.
      store.append({ turnId, firstSequence: 1000, events: bytes("gap"), time: n }),
      store.createTurn({ ...turnStart(), turnId }),
    ]).flat();
    const settled = await Promise.allSettled(asked);
    expect(settled.map(({ status }) => status)).toEqual(
      Array.from({ length: 20 }, () => ["fulfilled", "rejected", "rejected"]).flat(),
    );
    expect(texts(await store.readEvents(turnId, 0, 1000))).toHaveLength(20);
    expect((await store.listSessions(PRINCIPAL, 10, undefined)).items).toHaveLength(1);
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

  it("joins requests of the same id and content, before it refuses for any other reason", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = turnStart({ requestId: randomUUID() });
    const { turn } = await store.createTurn(first);
    const refusal = { reason: "DRAINING", message: "closing" } as const;
    const again = { ...turnStart(), requestId: first.requestId, refusal };
    expect(await store.createTurn(again)).toMatchObject({ joined: true, turn });
    const reused = { ...again, prompt: "something else" };
    await expect(store.createTurn(reused)).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
    const another = { ...again, principal: "bob" };
    await expect(store.createTurn(another)).rejects.toMatchObject({ reason: "DRAINING" });
  });

  it("keeps a request beyond its turn's deletion, for a day", async () => {
    await using opened = await open();
    const { store } = opened;
    const requestId = randomUUID();
    const { turn } = await store.createTurn(turnStart({ requestId }));
    await store.append(endOf(turn.turnId));
    const deleted = 10_000;
    await store.deleteSession(turn.sessionId, PRINCIPAL, deleted);
    const day = 24 * 3600 * 1000;
    const soon = turnStart({ requestId, time: deleted + day - 1 });
    await expect(store.createTurn(soon)).rejects.toMatchObject({ reason: "NOT_FOUND" });
    const late = turnStart({ requestId, time: deleted + day + 1 });
    expect(await store.createTurn(late)).toMatchObject({ joined: false });
  });

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
      () => store.deleteSession(sessionId, "bob", 1),
      () => store.createTurn({ ...turnStart({ session: sessionId }), principal: "bob" }),
    ];
    for (const ask of asked) await expect(ask()).rejects.toMatchObject({ reason: "NOT_FOUND" });
    expect(await store.listSessions("bob", 10, undefined)).toEqual({ items: [], next: undefined });
    expect((await store.listSessions(PRINCIPAL, 10, undefined)).items).toHaveLength(1);
  });

  it("removes a session with all that belongs to it, unless its turn runs", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turn, session } = await store.createTurn(turnStart());
    const remove = () => store.deleteSession(session.sessionId, PRINCIPAL, 9);
    await expect(remove()).rejects.toMatchObject({ reason: "TURN_IN_PROGRESS" });
    await store.append(endOf(turn.turnId));
    expect(await remove()).toMatchObject({ workspace: session.workspace });
    await expect(remove()).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(store.getTurn(turn.turnId, PRINCIPAL)).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
    expect(await store.readEvents(turn.turnId, 0, 1000)).toEqual([]);
  });

  it("knows what a server before left behind", async () => {
    await using opened = await open();
    const { store } = opened;
    const [running, ended, gone] = [turnStart(), turnStart(), turnStart()];
    for (const start of [running, ended, gone]) await store.createTurn(start);
    await store.append({ turnId: running.turnId, firstSequence: 1, events: bytes("a"), time: 1 });
    for (const { turnId } of [ended, gone]) await store.append(endOf(turnId));
    await store.recordProcessesGone(gone.turnId);
    const left = await (await opened.reopen()).listLeftTurns();
    expect(left).toEqual([
      {
        turnId: running.turnId,
        sessionId: running.newSession.sessionId,
        processId: running.processId,
        lastSequence: 1,
        running: true,
      },
      {
        turnId: ended.turnId,
        sessionId: ended.newSession.sessionId,
        processId: ended.processId,
        lastSequence: 1,
        running: false,
      },
    ]);
  });

  it("refuses everything once it is closed", async () => {
    await using opened = await open();
    await opened.store.close();
    await opened.store.close();
    await expect(opened.store.createTurn(turnStart())).rejects.toMatchObject({ reason: "STORAGE" });
  });

  it("removes turns that ended long enough ago, the oldest first, and sessions with their last", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = turnStart({ requestId: randomUUID() });
    await store.createTurn(first);
    await store.append({ ...endOf(first.turnId), time: 10 });
    const { sessionId, workspace, agentSessionId } = first.newSession;
    const second = turnStart({ session: sessionId });
    await store.createTurn(second);
    await store.append({ ...endOf(second.turnId), time: 20 });
    const running = turnStart();
    await store.createTurn(running);

    // Whose processes may live is not forgotten.
    expect(await store.removeEndedTurns(100, 10, 100)).toEqual({ turns: 0, sessions: [] });
    for (const { turnId } of [first, second]) await store.recordProcessesGone(turnId);
    expect(await store.removeEndedTurns(10, 10, 100)).toEqual({ turns: 0, sessions: [] });
    expect(await store.removeEndedTurns(100, 1, 100)).toEqual({ turns: 1, sessions: [] });
    await expect(store.getTurn(first.turnId, PRINCIPAL)).rejects.toMatchObject(GONE);
    expect(await store.readEvents(first.turnId, 0, 1000)).toEqual([]);
    expect((await store.getSession(sessionId, PRINCIPAL)).turnCount).toBe(1);

    const removed = { sessionId, workspace, agentSessionId };
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

  it("removes turns with many events one by one, until none is left", async () => {
    await using opened = await open();
    const { store } = opened;
    const events = Array.from({ length: 1500 }, () => new Uint8Array(1));
    for (let time = 1; time <= 3; time++) {
      const start = turnStart();
      await store.createTurn(start);
      await store.append({ ...endOf(start.turnId), events, time });
      await store.recordProcessesGone(start.turnId);
    }
    const removed: number[] = [];
    do removed.push((await store.removeEndedTurns(100, 10, 100)).turns);
    while (removed.at(-1) !== 0);
    expect(removed).toEqual([1, 1, 1, 0]);
    expect((await store.listSessions(PRINCIPAL, 10, undefined)).items).toEqual([]);
  });

  it("lists a deleted session as one to be removed", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId, newSession } = await ended(store);
    await store.recordProcessesGone(turnId);
    await store.deleteSession(newSession.sessionId, PRINCIPAL, 3);
    const [removal] = await store.listRemovals();
    expect(removal?.workspace).toBe(newSession.workspace);
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
}

async function ended(store: Store): Promise<TurnStart> {
  const start = turnStart();
  await store.createTurn(start);
  await store.append(endOf(start.turnId));
  return start;
}

const GONE = { reason: "NOT_FOUND" };

function turnStart(
  given: {
    session?: string;
    requestId?: string;
    model?: string;
    time?: number;
    maxSessionTurns?: number;
  } = {},
): TurnStart {
  const { session = "", requestId = "", model = "", time = 1, maxSessionTurns = 100 } = given;
  return {
    turnId: randomUUID(),
    processId: randomUUID(),
    principal: PRINCIPAL,
    prompt: "look ☃ \u{1d11e}",
    model,
    agent: "",
    sentSessionId: session,
    requestId,
    time,
    maxSessionTurns,
    newSession: {
      sessionId: session || randomUUID(),
      agent: "the agent",
      model: "the model",
      workspace: `/workspaces/${randomUUID()}`,
      agentSessionId: randomUUID(),
    },
  };
}

function endOf(turnId: string) {
  return { turnId, firstSequence: 1, events: bytes("end"), time: 2, end: ENDED };
}
