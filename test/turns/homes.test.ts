import { randomUUID } from "node:crypto";
import { access, readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { type TurnEvent, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ownView } from "../../src/store/views.ts";
import { decodeEvent } from "../../src/turns/encoded-event.ts";
import { callerNamed, nameOf } from "../support/caller.ts";
import { cases, valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { ABLE } from "./driven-agent.ts";
import { PRINCIPAL, REQUEST, result, text } from "./driven-turns.ts";
import { pullSubscription } from "./pulled-subscription.ts";
import { type DrivenServer, startTwoServers } from "./two-servers.ts";

/** What an image of that format begins with. */
const PNG = Buffer.from("89504e470d0a1a0a", "hex");
const ELSEWHERE = { reason: "SESSION_ELSEWHERE", details: { retryAfterMs: expect.any(Number) } };

describe("a turn that is asked for where its session is not at home", () => {
  it("is recorded and run at home, and read where it was asked for", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    const prompt = randomUUID();
    const attachments = [{ name: "a.txt", mediaType: "text/plain", data: Buffer.from("abc") }];
    const asked = { ...REQUEST, sessionId, prompt, attachments };
    const { turnId } = await other.turns.run(asked, callerNamed(PRINCIPAL));
    const run = one.agent.runOf(prompt);
    await run.started;
    expect(run.turn?.workspace).toContain(one.sessionsDir);
    expect(run.turn?.files).toHaveLength(1);
    run.give([text(), result()]);
    run.leave();
    expect(cases(await readToEnd(other, turnId))).toEqual(["text", "result"]);
    expect(await readdir(other.sessionsDir)).toEqual([]);
  });

  it("is the same where the request is sent to both, before and at once", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    for (const inSession of [sessionId, ""]) {
      const asked = { ...REQUEST, sessionId: inSession, prompt: "p", requestId: randomUUID() };
      const runs = [one, other, one, other].map(({ turns }) =>
        turns.run(asked, callerNamed(PRINCIPAL)),
      );
      const turnIds = (await Promise.all(runs)).map(({ turnId }) => turnId);
      expect(new Set(turnIds).size).toBe(1);
      await one.turns.cancel(turnIds[0]!, callerNamed(PRINCIPAL));
      expect((await other.turns.run(asked, callerNamed(PRINCIPAL))).turnId).toBe(turnIds[0]);
    }
  });

  it("waits at home for the agent's own, which makes way for it there", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const first = await one.begin();
    first.run.give([result()]);
    first.run.leave();
    const { sessionId } = await ended(one, first.turnId);
    const own = one.agent.beginOwnWork(first.run.turn!);
    await eventually(
      () => one.turns.getSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
      ({ runningTurnId }) => runningTurnId === own.turnId,
    );
    const prompt = randomUUID();
    const asked = { ...REQUEST, sessionId, prompt };
    const waiting = await other.turns.run(asked, callerNamed(PRINCIPAL));
    expect(waiting.state).toBe(TurnState.QUEUED);
    await expect(other.turns.run(asked, callerNamed(PRINCIPAL))).rejects.toMatchObject({
      reason: "TURN_IN_PROGRESS",
      details: { metadata: { turn_id: waiting.turnId } },
    });
    await expect(
      other.turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).rejects.toMatchObject({
      reason: "TURN_IN_PROGRESS",
    });
    const steer = { turnId: waiting.turnId, message: "wait for me", requestId: "" };
    await other.turns.steer(steer, callerNamed(PRINCIPAL));
    own.run.give([result()]);
    own.run.leave();
    const run = one.agent.runOf(prompt);
    await run.started;
    expect(run.steered).toEqual(["wait for me"]);
    await other.turns.cancel(waiting.turnId, callerNamed(PRINCIPAL));
    expect(run.isOver).toBe(true);
  });

  it("is counted where it runs: the other server's limit and drain are its own", async () => {
    await using servers = await startTwoServers({ maxConcurrentTurns: 1 });
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    const busy = await other.begin();
    const { turnId } = await other.turns.run(
      { ...REQUEST, sessionId, prompt: "a" },
      callerNamed(PRINCIPAL),
    );
    const again = { ...REQUEST, sessionId: await sessionOf(other, busy.turnId), prompt: "b" };
    await other.turns.cancel(busy.turnId, callerNamed(PRINCIPAL));
    await expect(
      one.turns.run({ ...REQUEST, prompt: "c" }, callerNamed(PRINCIPAL)),
    ).rejects.toMatchObject({
      reason: "TOO_MANY_TURNS",
    });
    await other.turns.drain(0);
    expect((await one.turns.getTurn(turnId, callerNamed(PRINCIPAL))).state).toBe(TurnState.RUNNING);
    await expect(other.turns.run(again, callerNamed(PRINCIPAL))).rejects.toMatchObject({
      reason: "DRAINING",
    });
    await expect(one.turns.run(again, callerNamed(PRINCIPAL))).rejects.toMatchObject(ELSEWHERE);
    await one.turns.cancel(turnId, callerNamed(PRINCIPAL));
  });

  it("is refused where its home cannot be reached, and runs when it is back", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    await one.turns.drain(0);
    const asked = { ...REQUEST, sessionId, prompt: "p" };
    await expect(other.turns.run(asked, callerNamed(PRINCIPAL))).rejects.toMatchObject(ELSEWHERE);
    const again = await servers.restart("one");
    const { turnId } = await other.turns.run(asked, callerNamed(PRINCIPAL));
    await again.agent.runOf("p").started;
    await other.turns.cancel(turnId, callerNamed(PRINCIPAL));
  });

  it("is taken at home only once that knows what was left in the session", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const first = await one.begin();
    first.run.give([result()]);
    first.run.leave();
    const { sessionId } = await ended(one, first.turnId);
    const own = one.agent.beginOwnWork(first.run.turn!);
    await eventually(
      () => one.turns.getSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
      ({ runningTurnId }) => runningTurnId === own.turnId,
    );
    one.cut();
    const again = await servers.restartCut("one");
    const asked = { ...REQUEST, sessionId, prompt: "p" };
    const early = other.turns.run(asked, callerNamed(PRINCIPAL)).catch((error) => error);
    one.mend();
    // Whom it comes to is fenced, or not there yet.
    expect(await early).toMatchObject({ reason: expect.stringMatching(/^(FENCED|SESSION_EL)/) });
    again.mend();
    await again.recovered;
    const { turnId } = await other.turns.run(asked, callerNamed(PRINCIPAL));
    await again.agent.runOf("p").started;
    expect((await again.turns.getTurn(own.turnId, callerNamed(PRINCIPAL))).state).toBe(
      TurnState.LOST,
    );
    await other.turns.cancel(turnId, callerNamed(PRINCIPAL));
  });

  it("is sent on to nobody by who is asked for one that is not at home there", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const third = await servers.restart("third");
    const sessionId = await endedSession(third);
    const asked = { ...REQUEST, sessionId, prompt: "p" };
    const home = other.store.commands.homeOf("one");
    await expect(home.run(asked, callerNamed(PRINCIPAL))).rejects.toMatchObject(ELSEWHERE);
    await expect(
      home.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).rejects.toMatchObject(ELSEWHERE);
    expect(
      (await third.turns.getSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)))
        .turnCount,
    ).toBe(1);
    expect(one.turns.activeSessions).toBe(0);
  });

  it("is refused by what the agent at home cannot do, whatever the one here can", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    const attachments = [{ name: "a.png", mediaType: "image/png", data: PNG }];
    const asked = { ...REQUEST, sessionId, prompt: "p", attachments, requestId: randomUUID() };
    one.agent.capabilities = { ...ABLE, images: undefined };
    await expect(other.turns.run(asked, callerNamed(PRINCIPAL))).rejects.toMatchObject({
      reason: "UNSUPPORTED_BY_AGENT",
      details: { metadata: { agent_kind: "driven", capability: "images" } },
    });
    expect(
      (await one.turns.getSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL))).turnCount,
    ).toBe(1);
    [one.agent.capabilities, other.agent.capabilities] = [ABLE, one.agent.capabilities];
    const { turnId } = await other.turns.run(asked, callerNamed(PRINCIPAL));
    await one.agent.runOf("p").started;
    await other.turns.cancel(turnId, callerNamed(PRINCIPAL));
  });

  it("is looked at there as it is here: by who asks", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    const bobs = await other.turns.run({ ...REQUEST, sessionId, prompt: "p" }, callerNamed("bob"));
    // Bob's own of that id.
    expect(
      (await other.store.getSession({ principal: "bob", sessionId }, ownView("bob"))).home,
    ).toBe("other");
    await other.turns.cancel(bobs.turnId, callerNamed("bob"));
  });
});

describe("a session that is deleted where it is not at home", () => {
  it("is removed at home, its files and what the agent keeps of it", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    const { workspace, sessionKey } = await one.turns.getSession(
      nameOf(PRINCIPAL, sessionId),
      callerNamed(PRINCIPAL),
    );
    await access(workspace);
    expect(
      await other.turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).toBe(true);
    await expect(access(workspace)).rejects.toThrow("ENOENT");
    expect(one.agent.closed).toEqual([sessionKey]);
    expect(one.agent.forgotten).toEqual([workspace]);
    expect([other.agent.closed, other.agent.forgotten]).toEqual([[], []]);
    expect(other.turns.activeSessions).toBe(0);
    await expect(
      other.turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
  });

  it("is off the record where its home is away, which removes the rest when it is back", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    const { workspace } = await one.turns.getSession(
      nameOf(PRINCIPAL, sessionId),
      callerNamed(PRINCIPAL),
    );
    await one.turns.drain(0);
    await one.store.close();
    expect(
      await other.turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).toBe(false);
    await expect(
      other.turns.getSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
    await access(workspace);
    expect(other.agent.forgotten).toEqual([]);
    const again = await servers.restart("one");
    await eventually(
      () => again.store.listRemovals("one"),
      ({ length }) => length === 0,
    );
    expect(again.agent.forgotten).toEqual([workspace]);
    await expect(access(workspace)).rejects.toThrow("ENOENT");
  });

  it("for its age while its home is away has its files wait for that", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    const { workspace } = await one.turns.getSession(
      nameOf(PRINCIPAL, sessionId),
      callerNamed(PRINCIPAL),
    );
    await one.turns.drain(0);
    await one.store.close();
    const third = await servers.restart("third", { retentionMs: 1 });
    await eventually(
      () => other.store.listRemovals("one"),
      ({ length }) => length === 1,
    );
    await third.turns.drain(0);
    expect(third.agent.forgotten).toEqual([]);
    await access(workspace);
  });

  it("of which the turns are too old is removed at home alone", async () => {
    await using servers = await startTwoServers({ retentionMs: 1 });
    const { one, other } = servers;
    const sessionId = await endedSession(one);
    await eventually(
      () => one.agent.forgotten,
      ({ length }) => length === 1,
    );
    await expect(
      other.turns.getSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
    expect([other.agent.closed, other.agent.forgotten]).toEqual([[], []]);
  });
});

describe("approvals and steers on two servers", () => {
  it("are decided once", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const { turnId, run } = await one.begin();
    const steer = { turnId, message: "look there", requestId: randomUUID() };
    const steered = [one, other, other].map(({ turns }) =>
      turns.steer(steer, callerNamed(PRINCIPAL)),
    );
    const sequences = (await Promise.all(steered)).map(({ sequence }) => sequence);
    expect(sequences).toEqual([1, 1, 1]);
    expect(run.steered).toEqual(["look there"]);
    expect(valuesOf(await servers.readLog(turnId), "steer")).toHaveLength(1);
    await other.turns.cancel(turnId, callerNamed(PRINCIPAL));
  });
});

/** A session whose one turn has ended. Answers its id. */
async function endedSession(server: DrivenServer): Promise<string> {
  const { turnId, run } = await server.begin();
  run.give([result()]);
  run.leave();
  return (await ended(server, turnId)).sessionId;
}

async function sessionOf({ turns }: DrivenServer, turnId: string): Promise<string> {
  return (await turns.getTurn(turnId, callerNamed(PRINCIPAL))).sessionId;
}

function ended({ turns }: DrivenServer, turnId: string) {
  return eventually(
    () => turns.getTurn(turnId, callerNamed(PRINCIPAL)),
    ({ endTime }) => endTime !== undefined,
  );
}

/** Reads a turn to its end, as a caller of that server. */
async function readToEnd({ turns }: DrivenServer, turnId: string): Promise<TurnEvent[]> {
  const { signal } = new AbortController();
  const from = { afterSequence: 0, textDeltas: false };
  const found: TurnEvent[] = [];
  const open = () => turns.subscribe(turnId, from, callerNamed(PRINCIPAL), signal);
  for await (const piece of pullSubscription(open)) {
    if ("encoded" in piece) found.push(...piece.encoded.map(decodeEvent));
  }
  return found;
}
