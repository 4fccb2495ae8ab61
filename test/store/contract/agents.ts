import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { SessionRecord } from "../../../src/store/records.ts";
import type { TurnStart } from "../../../src/store/writes.ts";
import type { OwnedStore } from "../../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../../support/turn-start.ts";
import type { OpenStore } from "./store-under-test.ts";

const PRINCIPAL = "alice";

/** What a store owes of the agents that sessions have. */
export function describeAgents(open: OpenStore): void {
  it("has a session keep the kind of agent that it was opened with", async () => {
    await using opened = await open();
    const first = startOf("other", { agents: [{ kind: "driven" }, { kind: "other" }] });
    expect((await createEnded(opened.store, first)).agentKind).toBe("other");
    const store = await opened.reopen();
    const { sessionId } = first.newSession;
    const session = await store.getSession(sessionId, PRINCIPAL);
    expect(session.agentKind).toBe("other");
    // What a later turn would open a session with is not looked at.
    const next = { sentSessionId: sessionId, agents: first.agents };
    const again = await createEnded(store, turnStart(next));
    expect(again.agentKind).toBe("other");
  });

  it("refuses another kind than the session's, and one that is not served, and records nothing", async () => {
    await using opened = await open();
    const store = opened.store;
    const first = startOf("other");
    await createEnded(store, first);
    const sentSessionId = first.newSession.sessionId;
    const metadata = { agent_kind: "other" };
    const asked = { sentSessionId, sentAgentKind: "driven", requestId: randomUUID() };
    await expect(store.createTurn(turnStart(asked))).rejects.toMatchObject({
      reason: "AGENT_KIND_MISMATCH",
      details: { metadata },
    });
    await expect(store.createTurn(turnStart({ sentSessionId }))).rejects.toMatchObject({
      reason: "AGENT_KIND_NOT_SERVED",
      message: expect.stringContaining("it runs driven"),
      details: { metadata },
    });
    const { turnCount, changeCount } = await store.getSession(sentSessionId, PRINCIPAL);
    expect([turnCount, changeCount]).toEqual([1, 2]);
    // The same request can be sent rightly.
    const right = { ...asked, sentAgentKind: "other", agents: [{ kind: "other" }] };
    expect((await store.createTurn(turnStart(right))).joined).toBe(false);
  });

  it("refuses what the session's agent does, behind the request that is joined, and opens no session", async () => {
    await using opened = await open();
    const store = opened.store;
    const requestId = randomUUID();
    const first = turnStart({ requestId });
    await createEnded(store, first);
    const details = { metadata: { capability: "images" } };
    const refusal = { reason: "UNSUPPORTED_BY_AGENT", message: "no images", details } as const;
    const agents = [{ kind: "other" }, { kind: "driven", refusal }];
    expect((await store.createTurn({ ...first, agents })).joined).toBe(true);
    const refused = turnStart({ agents });
    await expect(store.createTurn(refused)).rejects.toMatchObject(refusal);
    const { sessionId } = refused.newSession;
    await expect(store.getSession(sessionId, PRINCIPAL)).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
    // What another agent refuses is nothing to this one's sessions.
    const taken = startOf("other", { agents });
    expect((await store.createTurn(taken)).session.agentKind).toBe("other");
  });

  it("has an agent that cannot go on take a session's first turn, and others only where it remembers", async () => {
    await using opened = await open();
    const store = opened.store;
    const first = turnStart({ agents: [{ kind: "driven", remembered: [] }] });
    const { sessionKey } = await createEnded(store, first);
    const next = (remembered: string[], more: Partial<TurnStart> = {}) =>
      store.createTurn(
        turnStart({
          sentSessionId: first.newSession.sessionId,
          agents: [{ kind: "driven", remembered }],
          ...more,
        }),
      );
    await expect(next(["another"])).rejects.toMatchObject({
      reason: "UNSUPPORTED_BY_AGENT",
      details: { metadata: { capability: "resume", agent_kind: "driven" } },
    });
    const { turn } = await next(["another", sessionKey]);
    await store.append({ ...endOf(turn.turnId), time: 5 });
    // Its own work is in the process that remembers.
    const own = { origin: TurnOrigin.AGENT, principal: "", sentSessionId: "" };
    const place = { ...first.newSession, sessionId: sessionKey };
    await next([], { ...own, newSession: place, agents: [] });
  });

  it("tells requests apart by the kind that they name", async () => {
    await using opened = await open();
    const store = opened.store;
    const requestId = randomUUID();
    const first = turnStart({ requestId, sentAgentKind: "driven" });
    await store.createTurn(first);
    expect((await store.createTurn(first)).joined).toBe(true);
    await expect(store.createTurn({ ...first, sentAgentKind: "" })).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
  });

  it("opens a session without a conversation, and gives it the one that its agent tells of", async () => {
    await using opened = await open();
    const none = startOf("driven", {}, "");
    const { sessionId } = none.newSession;
    const store = opened.store;
    const { session, turn } = await store.createTurn(none);
    expect(session.agentSessionId).toBe("");
    // Any number of them.
    expect((await store.createTurn(startOf("driven", {}, ""))).session.agentSessionId).toBe("");
    const batch = { turnId: turn.turnId, firstSequence: 1, events: [new Uint8Array(1)], time: 1 };
    await store.append({ ...batch, agentSessionId: "20261128_1" });
    const reopened = await opened.reopen();
    expect((await reopened.getSession(sessionId, PRINCIPAL)).agentSessionId).toBe("20261128_1");
  });

  it("keeps conversations apart by the kinds of their agents", async () => {
    await using opened = await open();
    const store = opened.store;
    const [one, other, same] = [
      await createEnded(store, startOf("driven", {}, "1")),
      await createEnded(store, startOf("other", {}, "")),
      await createEnded(store, startOf("driven", {}, "")),
    ];
    expect(await store.claimConversation(other.sessionKey, "1")).toBe(true);
    expect(await store.claimConversation(same.sessionKey, "1")).toBe(false);
    const removed = await store.deleteNamed(one.sessionId, PRINCIPAL, 5);
    expect(removed).toMatchObject({ agentKind: "driven", agentSessionIds: ["1"] });
  });
}

/** A turn that opens a session of a kind. */
function startOf(
  agentKind: string,
  more: Partial<TurnStart> = {},
  agentSessionId: string = randomUUID(),
): TurnStart {
  const start = turnStart({ agents: [{ kind: agentKind }], ...more });
  return { ...start, newSession: { ...start.newSession, agentKind, agentSessionId } };
}

/** Records a turn that has ended. Answers its session. */
async function createEnded(store: OwnedStore, start: TurnStart): Promise<SessionRecord> {
  const { turn, session } = await store.createTurn(start);
  await store.append(endOf(turn.turnId));
  return session;
}

function endOf(turnId: string) {
  return { turnId, firstSequence: 1, events: [new Uint8Array(1)], time: 2, end: SUCCEEDED };
}
