import { access } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import {
  ErrorReason,
  NoticeReason,
  type TurnEvent,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import type { BroughtSession, MovedSession, SessionMoves } from "../../src/turns/session-moves.ts";
import { callerNamed } from "../support/caller.ts";
import { cases, valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { PRINCIPAL, REQUEST, request, result, session, text } from "./driven-turns.ts";
import { type DrivenServer, startTwoServers, TERMS, type TwoServers } from "./two-servers.ts";

const OPERATOR = callerNamed(PRINCIPAL);
const ELSEWHERE = { reason: "SESSION_ELSEWHERE", details: { retryAfterMs: expect.any(Number) } };

describe("a session whose home has ended", () => {
  it("goes on elsewhere with the next turn, at once, and its log begins with what was lost", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const before = await endedTurn(one, { conversation: "the conversation" });
    await end(one);
    const { turnId, run } = await other.begin({ sessionId: before.sessionId });
    const { workspace, agentSessionId, hasHistory, isWorkspaceRestored } = run.turn!;
    expect(workspace).toContain(other.sessionsDir);
    expect({ agentSessionId, hasHistory, isWorkspaceRestored }).toEqual({
      ...{ agentSessionId: "the conversation", hasHistory: true, isWorkspaceRestored: false },
    });
    await access(workspace);
    run.give([text(), result()]);
    run.leave();
    const log = await readEnded(servers, other, turnId);
    expect(cases(log)).toEqual(["notice", "text", "result"]);
    const [notice] = valuesOf(log, "notice");
    expect(notice).toMatchObject({ reason: NoticeReason.SESSION_MOVED, remembers: false });
    expect(notice?.snapshotTime).toBeUndefined();
    expect(notice?.message).toMatch(/workspace is lost.*does not remember/);

    const next = await endedTurn(other, { sessionId: before.sessionId });
    expect(next.run.turn?.workspace).toBe(workspace);
    expect(cases(await servers.readLog(next.turnId))).toEqual(["result"]);
  });

  it("is at home there from then on, also once the one before is back", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const { sessionId } = await endedTurn(one);
    await end(one);
    const moved = await endedTurn(other, { sessionId });
    const again = await servers.restart("one");
    const asked = { ...REQUEST, sessionId, prompt: "at the one before" };
    const { turnId } = await again.turns.run(asked, OPERATOR);
    const run = other.agent.runOf("at the one before");
    await run.started;
    expect(run.turn?.workspace).toBe(moved.run.turn?.workspace);
    await again.turns.cancel(turnId, OPERATOR);
  });

  it("goes on with what was kept of it, which is brought before its agent begins", async () => {
    await using servers = await startTwoServers();
    const { one } = servers;
    const snapshotTime = new Date("2026-11-28T12:00:00Z");
    const moves = new KnownMoves({ remembers: true, snapshotTime });
    const third = await servers.restart("third", { moves });
    const { sessionId } = await endedTurn(one, { conversation: "the conversation" });
    await end(one);
    const { turnId, run } = await endedTurn(third, { sessionId });
    const log = await servers.readLog(turnId);
    const [notice] = valuesOf(log, "notice");
    expect(cases(log)).toEqual(["notice", "result"]);
    expect(notice).toMatchObject({ remembers: true });
    expect(notice?.message).toContain(snapshotTime.toISOString());
    const { workspace, sessionKey } = run.turn!;
    const as = { sessionId, sessionKey, agentKind: "driven", workspace };
    expect(moves.brought).toEqual([{ ...as, conversationId: "the conversation" }]);
  });

  it("is brought once more where the server that it moved to was gone before that was done", async () => {
    await using servers = await startTwoServers();
    const { one } = servers;
    const { sessionId } = await endedTurn(one);
    await end(one);
    const gate = Promise.withResolvers<BroughtSession>();
    const stuck = new KnownMoves(gate.promise);
    const third = await servers.restart("third", { moves: stuck });
    const { turnId } = await third.turns.run({ ...REQUEST, sessionId, prompt: "stuck" }, OPERATOR);
    await eventually(
      () => stuck.brought,
      ({ length }) => length === 1,
    );
    third.cut();
    const again = await servers.restart("third");
    await ended(again, turnId);
    gate.resolve({ remembers: true });
    const next = await endedTurn(again, { sessionId });
    expect(cases(await servers.readLog(next.turnId))).toEqual(["notice", "result"]);
    expect(next.run.turn?.workspace).toBe(stuck.brought[0]?.workspace);
  });

  it("is kept behind each end, and while it waits for an answer", async () => {
    await using servers = await startTwoServers();
    const moves = new KnownMoves({ remembers: true });
    const third = await servers.restart("third", { moves });
    const { run, turnId } = await third.begin();
    run.agentSessionId = "the conversation";
    run.give([session("the conversation")]);
    run.give([request("an approval")]);
    const { workspace, sessionKey } = run.turn!;
    await eventually(
      () => moves.kept,
      ({ length }) => length === 1,
    );
    run.give([result()]);
    run.leave();
    const { sessionId } = await ended(third, turnId);
    await third.turns.drain(0);
    const as = { sessionId, sessionKey, agentKind: "driven", workspace };
    const kept = { ...as, conversationId: "the conversation" };
    expect(moves.kept.slice(1)).toEqual([kept]);
    expect(moves.drains).toBe(1);
  });
});

describe("a session whose home is away", () => {
  it("goes on elsewhere when its home's lease is over, with all ended that ran there", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const { turnId, run } = await one.begin();
    run.give([text(), request("an approval")]);
    await eventually(
      () => one.turns.getTurn(turnId, OPERATOR),
      ({ state }) => state === TurnState.AWAITING_APPROVAL,
    );
    const { sessionId } = await other.turns.getTurn(turnId, OPERATOR);
    one.cut();
    const asked = { ...REQUEST, sessionId, prompt: "next" };
    servers.passLeases(TERMS.leaseMs + 1);
    await ended(other, turnId);
    const next = await other.turns.run(asked, OPERATOR);
    const lost = { state: TurnState.LOST, errorReason: ErrorReason.SERVER_RESTARTED };
    expect(await other.turns.getTurn(turnId, OPERATOR)).toMatchObject(lost);
    const { items } = await other.turns.listApprovals(OPERATOR, 10, undefined);
    expect(items).toEqual([]);
    await other.agent.runOf("next").started;
    await other.turns.cancel(next.turnId, OPERATOR);
    one.mend();
    // What its agent says now is on no record.
    run.give([text(), result()]);
    run.leave();
    await one.turns.fenced;
    expect(cases(await servers.readLog(turnId)).at(-1)).toBe("error");
  });

  it("is refused, and asked for again, while nobody may say that its home is gone", async () => {
    // Longer than it takes a busy machine to start a server.
    const terms = { ...TERMS, leaseMs: 5000 };
    await using servers = await startTwoServers({}, terms);
    const { one, other } = servers;
    const { sessionId } = await endedTurn(one);
    await one.turns.drain(0);
    // None of those who are there finds it away.
    other.cut();
    servers.passLeases(terms.leaseMs + 1);
    // It has not been there for a lease's time: a database that was away has kept all others from renewing too.
    const fresh = await servers.restart("fresh");
    const asked = { ...REQUEST, sessionId, prompt: "next" };
    const first = fresh.turns.run(asked, OPERATOR);
    await expect(first).rejects.toMatchObject(ELSEWHERE);
    const turn = await eventually(
      () => fresh.turns.run(asked, OPERATOR).catch(() => undefined),
      (found) => found !== undefined,
      30_000,
    );
    await fresh.agent.runOf("next").started;
    await fresh.turns.cancel(turn!.turnId, OPERATOR);
  });
});

/** What a test says is kept of sessions. */
class KnownMoves implements SessionMoves {
  readonly brought: MovedSession[] = [];
  readonly kept: MovedSession[] = [];
  drains = 0;
  readonly #answer: BroughtSession | Promise<BroughtSession>;

  constructor(answer: BroughtSession | Promise<BroughtSession>) {
    this.#answer = answer;
  }

  async bring(moved: MovedSession): Promise<BroughtSession> {
    this.brought.push(moved);
    return this.#answer;
  }

  keep(moved: MovedSession): void {
    this.kept.push(moved);
  }

  async drain(): Promise<void> {
    this.drains++;
  }
}

/** Ends a server as a drain does. */
async function end({ turns, store }: DrivenServer): Promise<void> {
  await turns.drain(0);
  await store.close();
}

/** A turn that has ended on a server. */
async function endedTurn(
  server: DrivenServer,
  { sessionId = "", conversation = "" }: { sessionId?: string; conversation?: string } = {},
) {
  const { turnId, run } = await server.begin({ sessionId });
  run.agentSessionId = conversation;
  run.give([...(conversation === "" ? [] : [session(conversation)]), result()]);
  run.leave();
  const turn = await ended(server, turnId);
  return { turnId, run, sessionId: turn.sessionId };
}

function ended({ turns }: DrivenServer, turnId: string) {
  return eventually(
    () => turns.getTurn(turnId, OPERATOR),
    ({ endTime }) => endTime !== undefined,
  );
}

async function readEnded(
  servers: TwoServers,
  server: DrivenServer,
  turnId: string,
): Promise<TurnEvent[]> {
  await ended(server, turnId);
  return servers.readLog(turnId);
}
