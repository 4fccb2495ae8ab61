import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { Refusal } from "../../src/errors.ts";
import type { Command, CommandServer } from "../../src/store/commands.ts";
import type { EventBatch, Store, TurnStart } from "../../src/store/store.ts";
import { type OwnedStore, owned } from "../support/owned-store.ts";
import { turnStart as anyStart, SUCCEEDED } from "../support/turn-start.ts";

/** An empty store, and how to open it again as the next server does. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  /** Closes it and opens it again. */
  reopen(): Promise<Store>;
}

const PRINCIPAL = "alice";
const ENDED = SUCCEEDED;
const bytes = (...texts: string[]) => texts.map((text) => new TextEncoder().encode(text));
const texts = (events: Uint8Array[]) => events.map((event) => new TextDecoder().decode(event));

/** What turns rely on, whatever keeps them. */
export function describeStore(openStore: () => Promise<StoreUnderTest>): void {
  async function open() {
    const opened = await openStore();
    return {
      store: owned(opened.store),
      reopen: async () => owned(await opened.reopen()),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  }

  it("answers a turn and its session as they were recorded", async () => {
    await using opened = await open();
    const { store } = opened;
    const start = turnStart({ model: "opus", time: 1000 });
    const { turn, session, joined } = await store.createTurn(start);
    expect(joined).toBe(false);
    expect(turn).toEqual({
      turnId: start.turnId,
      sessionId: start.newSession.sessionId,
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
    expect(await store.getSession(session.sessionId, PRINCIPAL)).toEqual({ ...session, lastTurn });
  });

  it("gives events back as they were appended, also when it is opened again", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId } = (await store.createTurn(turnStart())).turn;
    await store.append({ turnId, firstSequence: 1, events: bytes("a", "b"), time: 5 });
    await store.append({ turnId, firstSequence: 3, events: bytes("c"), time: 6, end: ENDED });
    await expectAll(store);
    await expectAll(await opened.reopen());

    async function expectAll(from: OwnedStore): Promise<void> {
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

  it("keeps nothing of a turn that it refuses", async () => {
    await using opened = await open();
    const { store } = opened;
    const refused = turnStart({ requestId: randomUUID(), maxSessionTurns: 0 });
    const good = turnStart();
    const waits = { processId: "waits", sessionKey: "", workspace: refused.newSession.workspace };
    const settled = await Promise.allSettled([
      store.recordProcess(waits),
      store.createTurn(refused),
      store.createTurn(good),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const { items } = await store.listSessions(PRINCIPAL, 10, undefined);
    expect(items.map(({ sessionId }) => sessionId)).toEqual([good.newSession.sessionId]);
    const reopened = await opened.reopen();
    expect(await reopened.listLeftProcesses()).toEqual([waits]);
    const again = { ...refused, maxSessionTurns: 1, prompt: "something else" };
    expect((await reopened.createTurn(again)).joined).toBe(false);
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
      () => store.listChanges(sessionId, "bob", 0, 10),
      () => store.deleteSession(sessionId, "bob", 1),
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
    await store.deleteSession(sessionId, "bob", 5);
    expect((await store.getSession(sessionId, PRINCIPAL)).turnCount).toBe(1);
    expect(await store.getTurn(alice!.turn.turnId, PRINCIPAL)).toMatchObject({ sessionId });
  });

  it("has a session opened again under an id be another one, which the removal does not touch", async () => {
    await using opened = await open();
    const { store } = opened;
    const { newSession, turnId } = await ended(store);
    const { sessionId } = newSession;
    const before = await store.getSession(sessionId, PRINCIPAL);
    await store.deleteSession(sessionId, PRINCIPAL, 5);
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
    await store.deleteSession(sessionId, PRINCIPAL, 6);
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

    const removed = await store.deleteSession(one.newSession.sessionId, PRINCIPAL, 5);
    const own = [next, one.newSession.agentSessionId].toSorted();
    expect(removed.agentSessionIds.toSorted()).toEqual(own);
    const reopened = await opened.reopen();
    expect((await reopened.listRemovals())[0]?.agentSessionIds.toSorted()).toEqual(own);
    expect(await reopened.claimConversation(stranger.sessionKey, next)).toBe(false);
    await removeAll(reopened);
    await reopened.recordRemoved(removed.workspace);
    expect(await reopened.claimConversation(stranger.sessionKey, next)).toBe(true);
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
    await store.deleteSession(sessionId, PRINCIPAL, 9);
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
    void store.deleteSession(sessionId, PRINCIPAL, 9);
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
    const calls = { stopped: 0, other: 0 };
    const stopped = () => void calls.stopped++;
    const { changes } = store;
    const stops = [
      changes.listenToTurn(start.turnId, stopped),
      changes.listenToTurn(start.turnId, stopped),
      changes.listenToSession(sessionKey, stopped),
    ];
    changes.listenToTurn(start.turnId, () => void calls.other++);
    for (const stop of [...stops, ...stops]) stop();
    const other = await ended(store);
    await store.append(endOf(start.turnId));
    expect(calls.stopped).toBe(0);
    expect(calls.other).toBeGreaterThan(0);
    expect(other.turnId).not.toBe(start.turnId);
  });

  it("brings a command to the server that runs its turn, and the answer back", async () => {
    await using opened = await open();
    const { commands } = opened.store;
    const { turnId } = (await opened.store.createTurn(turnStart())).turn;
    const command: Command = {
      turnId,
      principal: "bob",
      ask: { case: "steer", message: "look there", requestId: "" },
    };
    const [idle, running] = [new ServerUnderTest([]), new ServerUnderTest([turnId])];
    const stops = [idle, running].map((server) => commands.serve(server));
    expect(await commands.send(command)).toBe(7);
    const cancel: Command = { turnId, principal: PRINCIPAL, ask: { case: "cancel" } };
    await commands.send(cancel);
    expect(running.performed).toEqual([command, cancel]);
    const refusal = new Refusal("APPROVAL_RESOLVED", "bob did", { metadata: { principal: "bob" } });
    running.refusal = refusal;
    await expect(commands.send(command)).rejects.toMatchObject({
      reason: "APPROVAL_RESOLVED",
      message: "bob did",
      details: { metadata: { principal: "bob" } },
    });
    expect(idle.performed).toEqual([]);
    for (const stop of [...stops, ...stops]) stop();
    await expect(commands.send(cancel)).rejects.toMatchObject({ reason: "FENCED" });
  });

  it("has nobody do what is asked of a turn that no server runs", async () => {
    await using opened = await open();
    const { turnId } = (await opened.store.createTurn(turnStart())).turn;
    const { commands } = await opened.reopen();
    const idle = new ServerUnderTest([]);
    commands.serve(idle);
    const command: Command = { turnId, principal: PRINCIPAL, ask: { case: "interrupt" } };
    await expect(commands.send(command)).rejects.toMatchObject({ reason: "FENCED" });
    expect(idle.performed).toEqual([]);
  });

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

  it("gives a session the process that waits in its workspace", async () => {
    await using opened = await open();
    const { store } = opened;
    const start = turnStart();
    const { workspace } = start.newSession;
    await store.recordProcess({ processId: "waits", sessionKey: "", workspace });
    const { sessionKey } = (await store.createTurn(start)).session;
    expect(await (await opened.reopen()).listLeftProcesses()).toEqual([
      { processId: "waits", sessionKey, workspace },
    ]);
  });

  it("lets one caller's turn wait for the agent's own, and nothing else", async () => {
    await using opened = await open();
    let { store } = opened;
    const { newSession, turnId: causeTurnId } = await ended(store);
    const { sessionId: session } = newSession;
    const own = { ...(await ownStart(store, session)), principal: "", causeTurnId };
    const { turn } = await store.createTurn(own);
    expect(turn).toMatchObject({ state: TurnState.RUNNING, principal: PRINCIPAL, causeTurnId });
    const waiting = turnStart({ session });
    expect((await store.createTurn(waiting)).turn.state).toBe(TurnState.QUEUED);
    const busy = { reason: "TURN_IN_PROGRESS", details: { metadata: { turn_id: waiting.turnId } } };
    for (const start of [turnStart({ session }), await ownStart(store, session)]) {
      await expect(store.createTurn(start)).rejects.toMatchObject(busy);
    }
    await expect(store.deleteSession(session, PRINCIPAL, 9)).rejects.toMatchObject(busy);
    store = await opened.reopen();
    expect((await store.listLeftTurns()).map((left) => [left.turnId, left.wasQueued])).toEqual([
      [own.turnId, false],
      [waiting.turnId, true],
    ]);

    await store.append(endOf(own.turnId));
    const between = { runningTurnId: "", queuedTurnId: waiting.turnId };
    expect(await store.getSession(session, PRINCIPAL)).toMatchObject(between);
    await expect(store.createTurn(turnStart({ session }))).rejects.toMatchObject(busy);
    await store.beginTurn(waiting.turnId);
    const begun = { runningTurnId: waiting.turnId, queuedTurnId: "" };
    expect(await store.getSession(session, PRINCIPAL)).toMatchObject(begun);
    await expect(store.beginTurn(waiting.turnId)).rejects.toMatchObject({ reason: "STORAGE" });
  });

  it("takes a waiting turn back where it ends without having run", async () => {
    await using opened = await open();
    const { store } = opened;
    const { sessionId: session } = (await ended(store)).newSession;
    const own = await ownStart(store, session);
    const waiting = turnStart({ session });
    for (const start of [own, waiting]) await store.createTurn(start);
    await store.append(endOf(waiting.turnId));
    const left = { runningTurnId: own.turnId, queuedTurnId: "" };
    expect(await store.getSession(session, PRINCIPAL)).toMatchObject(left);
  });

  it("opens no session for the agent's own turn", async () => {
    await using opened = await open();
    const own = opened.store.createTurn(turnStart({ origin: TurnOrigin.AGENT }));
    await expect(own).rejects.toMatchObject(GONE);
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

  it("finds a message that was sent before, and nothing else under its id", async () => {
    await using opened = await open();
    const { store } = opened;
    const requestId = randomUUID();
    const asked = turnStart({ requestId });
    const { turnId } = (await store.createTurn(asked)).turn;
    const steer = { principal: PRINCIPAL, requestId: randomUUID(), message: "look there" };
    expect(await store.findSteer(turnId, steer)).toBeUndefined();
    await store.append({ turnId, firstSequence: 1, events: bytes("s"), time: 1, steer });
    expect(await store.findSteer(turnId, steer)).toBe(1);
    const reused = { reason: "REQUEST_ID_REUSED" };
    for (const other of [
      () => store.findSteer(turnId, { ...steer, message: "look here" }),
      () => store.findSteer(randomUUID(), steer),
      () => store.findSteer(turnId, { ...steer, requestId }),
      () => store.createTurn({ ...turnStart(), requestId: steer.requestId }),
    ]) {
      await expect(other()).rejects.toMatchObject(reused);
    }
    expect(await store.findSteer(turnId, { ...steer, principal: "bob" })).toBeUndefined();
    await store.append({ ...endOf(turnId), firstSequence: 2 });
    expect(await (await opened.reopen()).findSteer(turnId, steer)).toBe(1);
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
    expect(after.lastTurn).toMatchObject({ turnId: next.turnId, state: SUCCEEDED.state });
  });

  describe("the list of all turns", () => {
    const mine = { principal: PRINCIPAL, asApprover: false };
    const everything = { states: [], since: undefined };
    const ids = (page: { items: readonly { turnId: string }[] }) =>
      page.items.map(({ turnId }) => turnId);

    it("has those of one's own sessions, newest first, in pages that neither repeat nor skip", async () => {
      await using opened = await open();
      const { store } = opened;
      const starts: TurnStart[] = [];
      // Two at a time are of the same moment.
      for (let n = 0; n < 7; n++) {
        const start = turnStart({ time: 100 + Math.floor(n / 2) });
        await store.createTurn(start);
        if (n % 3 === 0) await store.append(endOf(start.turnId));
        starts.push(start);
      }
      await store.createTurn(turnStart({ principal: "bob", time: 103 }));
      const order = starts.toSorted(
        (one, other) => other.time - one.time || (other.turnId < one.turnId ? -1 : 1),
      );
      const found: string[] = [];
      let page = await store.listAllTurns(mine, everything, 3, undefined);
      for (found.push(...ids(page)); page.next !== undefined; found.push(...ids(page))) {
        expect(page.items).toHaveLength(3);
        page = await store.listAllTurns(mine, everything, 3, page.next);
      }
      expect(found).toEqual(order.map(({ turnId }) => turnId));
      const [newest] = (await store.listAllTurns(mine, everything, 1, undefined)).items;
      expect(newest).toEqual(await store.getTurn(order[0]!.turnId, PRINCIPAL));
    });

    it("has only those of a state, or from a time on, where that is asked for", async () => {
      await using opened = await open();
      const { store } = opened;
      const starts = [1, 2, 3, 4].map((time) => turnStart({ time }));
      for (const start of starts) await store.createTurn(start);
      const [one, two, three, four] = starts.map(({ turnId }) => turnId) as [
        string,
        string,
        string,
        string,
      ];
      await store.append(endOf(one));
      await store.append({ ...endOf(three), end: { ...SUCCEEDED, state: TurnState.FAILED } });
      const list = async (states: TurnState[], since?: number) =>
        ids(await store.listAllTurns(mine, { states, since }, 10, undefined));
      expect(await list([TurnState.RUNNING])).toEqual([four, two]);
      expect(await list([TurnState.FAILED, TurnState.SUCCEEDED])).toEqual([three, one]);
      expect(await list([], 3)).toEqual([four, three]);
      expect(await list([TurnState.RUNNING], 3)).toEqual([four]);
      expect(await list([TurnState.LOST])).toEqual([]);
      const { sessionId } = starts[2]!.newSession;
      const inSession = async (states: TurnState[], since?: number) =>
        ids(await store.listTurns(sessionId, PRINCIPAL, 10, undefined, { states, since }));
      expect(await inSession([TurnState.FAILED])).toEqual([three]);
      expect(await inSession([TurnState.RUNNING])).toEqual([]);
      expect(await inSession([], 3)).toEqual([three]);
      expect(await inSession([], 4)).toEqual([]);
    });

    it("has others' turns for an approver alone, and only where they ask", async () => {
      await using opened = await open();
      const { store } = opened;
      const asking = turnStart({ time: 1, permissionMode: PermissionMode.ASK });
      const silent = turnStart({ time: 2 });
      const own = turnStart({ time: 3, principal: "bob", permissionMode: PermissionMode.ASK });
      for (const start of [asking, silent, own]) await store.createTurn(start);
      const list = async (asApprover: boolean) =>
        ids(await store.listAllTurns({ principal: "bob", asApprover }, everything, 10, undefined));
      expect(await list(true)).toEqual([own.turnId, asking.turnId]);
      expect(await list(false)).toEqual([own.turnId]);
    });

    it("has none that is off the record, by itself or with its session", async () => {
      await using opened = await open();
      const { store } = opened;
      const kept = turnStart({ time: 5 });
      await store.createTurn(kept);
      const [old, deleted] = [await ended(store), await ended(store)];
      await store.deleteSession(deleted.newSession.sessionId, PRINCIPAL, 6);
      expect(ids(await store.listAllTurns(mine, everything, 10, undefined))).toEqual([
        kept.turnId,
        old.turnId,
      ]);
      await store.removeEndedTurns(100, 10, 100);
      expect(ids(await store.listAllTurns(mine, everything, 10, undefined))).toEqual([kept.turnId]);
    });
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

  it("does not fail a turn whose message comes under an id that another request took", async () => {
    await using opened = await open();
    const { store } = opened;
    const running = turnStart();
    await store.createTurn(running);
    const requestId = randomUUID();
    const taken = turnStart({ requestId });
    await store.createTurn(taken);
    const steer = { principal: PRINCIPAL, requestId, message: "look there" };
    const { turnId } = running;
    await store.append({ turnId, firstSequence: 1, events: bytes("s"), time: 1, steer });
    expect((await store.createTurn(taken)).joined).toBe(true);
    await expect(store.findSteer(turnId, steer)).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
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

  it("shows an approver the turns that ask, whoever's they are, and no others", async () => {
    await using opened = await open();
    const { store } = opened;
    const asks = turnStart({ permissionMode: PermissionMode.ASK });
    const other = turnStart();
    for (const start of [asks, other]) await store.createTurn(start);
    expect((await store.getTurn(asks.turnId, "bob", true)).turnId).toBe(asks.turnId);
    for (const [turnId, asApprover] of [
      [asks.turnId, false] as const,
      [other.turnId, true] as const,
    ]) {
      await expect(store.getTurn(turnId, "bob", asApprover)).rejects.toMatchObject(GONE);
    }
  });

  it("compares attachments and the permission mode of a request too", async () => {
    await using opened = await open();
    const { store } = opened;
    const attachments = [{ name: "a.txt", mediaType: "text/plain", size: 3 }];
    const start = turnStart({ requestId: randomUUID(), attachments, attachmentsDigest: "abc" });
    await store.createTurn(start);
    const { turn, joined } = await store.createTurn({ ...start, turnId: randomUUID() });
    expect({ joined, attachments: turn.attachments }).toEqual({ joined: true, attachments });
    for (const other of [
      { attachmentsDigest: "abd" },
      { attachmentsDigest: "" },
      { sentPermissionMode: PermissionMode.ASK },
    ]) {
      await expect(store.createTurn({ ...start, ...other })).rejects.toMatchObject({
        reason: "REQUEST_ID_REUSED",
      });
    }
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

    const removed = { sessionId, sessionKey, workspace, agentSessionIds: [agentSessionId] };
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
    await store.deleteSession(newSession.sessionId, PRINCIPAL, 3);
    const [removal] = await store.listRemovals();
    expect(removal?.workspace).toBe(newSession.workspace);
    expect(await store.listRemovals(`not ${store.lease.owner}`)).toEqual([]);
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

/** A server that runs some turns. */
class ServerUnderTest implements CommandServer {
  readonly performed: Command[] = [];
  refusal: Refusal | undefined;
  readonly #turnIds: readonly string[];

  constructor(turnIds: readonly string[]) {
    this.#turnIds = turnIds;
  }

  runs(turnId: string): boolean {
    return this.#turnIds.includes(turnId);
  }

  async perform(command: Command): Promise<number> {
    if (this.refusal !== undefined) throw this.refusal;
    this.performed.push(command);
    return 7;
  }
}

async function ended(store: OwnedStore): Promise<TurnStart> {
  const start = turnStart();
  await store.createTurn(start);
  await store.append(endOf(start.turnId));
  return start;
}

/** Answers in how many pieces. */
async function removeAll(store: OwnedStore): Promise<number> {
  for (let pieces = 1; ; pieces++) if (!(await store.removeSome())) return pieces;
}

const GONE = { reason: "NOT_FOUND" };

const UNSPENT = { usage: undefined, totalCostUsd: 0 };

function turnStart({
  session = "",
  ...more
}: Partial<TurnStart> & { session?: string } = {}): TurnStart {
  return anyStart({ principal: PRINCIPAL, sentSessionId: session, ...more });
}

/** A turn of the agent's own, in a session that is there. */
async function ownStart(store: Store, sessionId: string): Promise<TurnStart> {
  const { sessionKey } = await store.getSession(sessionId, PRINCIPAL);
  return turnStart({ session: sessionKey, origin: TurnOrigin.AGENT });
}

function endOf(turnId: string) {
  return { turnId, firstSequence: 1, events: bytes("end"), time: 2, end: ENDED };
}
