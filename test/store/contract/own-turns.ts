import { expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { ended, endOf, GONE, ownStart, PRINCIPAL, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** The agent's own turns, those that wait for them, and its processes. */
export function describeOwnTurns(open: OpenStore): void {
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
    await expect(store.deleteNamed(session, PRINCIPAL, 9)).rejects.toMatchObject(busy);
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
}
