import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { Refusal } from "../../../src/errors.ts";
import type { Caller } from "../../../src/identity/caller.ts";
import type { SessionHome } from "../../../src/store/commands.ts";
import type { SessionName } from "../../../src/store/views.ts";
import type { RunRequest } from "../../../src/turn-requests.ts";
import { callerNamed, nameOf } from "../../support/caller.ts";
import {
  addressOf,
  begin,
  beginEnded,
  endOf,
  nextIn,
  openServers,
  ownIn,
  PRINCIPAL,
  TERMS,
} from "./servers.ts";
import type { StoreUnderTest } from "./store-under-test.ts";

const NOT_FOUND = { reason: "NOT_FOUND" };

/** What servers that share a store rely on of where sessions are. */
export function describeHomes(openStore: () => Promise<StoreUnderTest>): void {
  const open = () => openServers(openStore);
  const elsewhere = { reason: "SESSION_ELSEWHERE", details: { metadata: { home: "one" } } };

  describe("a session", () => {
    it("is at home where its first turn was recorded, and takes no turn of another server's", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn, session } = await beginEnded(one);
      expect(session.home).toBe("one");
      const { sessionId } = turn;
      const refusal = { reason: "DRAINING", message: "closing" } as const;
      for (const start of [
        nextIn(sessionId),
        // Whether it can be run is for its home to say.
        nextIn(sessionId, { refusal, maxSessionTurns: 0 }),
        nextIn(sessionId, { sentAgentKind: "another", agents: [] }),
        ownIn(session.sessionKey),
      ]) {
        await expect(other.createTurn(start)).rejects.toMatchObject(elsewhere);
      }
      // Away or not: its workspace is there.
      servers.passLeases(TERMS.leaseMs + 1);
      expect(await other.fence("one")).toBe(true);
      await expect(other.createTurn(nextIn(sessionId))).rejects.toMatchObject(elsewhere);
      const again = await servers.restart("one");
      expect((await again.createTurn(nextIn(sessionId))).session.home).toBe("one");
    });

    it("of one id that two servers open at once is opened by the first", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const sessionId = randomUUID();
      const [first, second] = await Promise.allSettled([
        begin(one, { sentSessionId: sessionId }),
        begin(other, { sentSessionId: sessionId }),
      ]);
      expect(first).toMatchObject({ value: { session: { home: "one" } } });
      expect(second).toMatchObject({ reason: elsewhere });
      expect((await other.getSession(sessionId, PRINCIPAL)).turnCount).toBe(1);
    });

    it("joins a request that another server took, before anything else is looked at", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const requestId = randomUUID();
      const [first, second] = await Promise.all([
        begin(one, { requestId }),
        begin(other, { requestId }),
      ]);
      expect(second).toMatchObject({ joined: true, turn: { turnId: first.turn.turnId } });
      const reused = begin(other, { requestId, prompt: "something else" });
      await expect(reused).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
    });
  });

  describe("a session that may move", () => {
    const workspaceIfMoved = "/elsewhere/workspace";

    it("moves with the first turn that is recorded elsewhere once its home holds no lease", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn, session } = await beginEnded(one);
      const next = (requestId = "") => nextIn(turn.sessionId, { workspaceIfMoved, requestId });
      await expect(other.createTurn(next())).rejects.toMatchObject(elsewhere);
      // It ran out, and may be renewed.
      servers.passLeases(TERMS.leaseMs + 1);
      await other.renewLease(other.lease.epoch);
      await expect(other.createTurn(next())).rejects.toMatchObject(elsewhere);
      await other.fence("one");
      await expect(other.createTurn(nextIn(turn.sessionId))).rejects.toMatchObject(elsewhere);
      await expect(other.createTurn(ownIn(session.sessionKey))).rejects.toMatchObject(elsewhere);
      const moved = await other.createTurn(next());
      expect(moved.session).toMatchObject({
        ...{ sessionKey: session.sessionKey, agentSessionId: session.agentSessionId },
        ...{ home: "other", workspace: workspaceIfMoved, isMoved: true, turnCount: 2 },
      });
      expect(await other.homeOfSession(session)).toMatchObject({ owner: "other" });
      await other.append(endOf(moved.turn.turnId));
      const back = await servers.restart("one");
      const stays = { details: { metadata: { home: "other" } } };
      await expect(back.createTurn(next())).rejects.toMatchObject(stays);
      expect((await back.listWorkspaces("one", 10, "")).length).toBe(0);
      expect(await other.listWorkspaces("other", 10, "")).toMatchObject([
        { workspace: workspaceIfMoved },
      ]);
    });

    it("does so until it is on record that it was brought, and says so by then", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn, session } = await beginEnded(one);
      await one.close();
      const run = async (server: typeof one) => {
        const started = await server.createTurn(nextIn(turn.sessionId, { workspaceIfMoved }));
        await server.append(endOf(started.turn.turnId));
        return started.session.isMoved;
      };
      expect([session.isMoved, await run(other), await run(other)]).toEqual([false, true, true]);
      const again = await servers.restart("other");
      await expect(
        other.recordBrought(session.sessionKey, other.lease.epoch),
      ).rejects.toMatchObject({ reason: "FENCED" });
      expect(await run(again)).toBe(true);
      await again.recordBrought(session.sessionKey, again.lease.epoch);
      expect(await run(again)).toBe(false);
      await again.close();
      const back = await servers.restart("one");
      expect(await run(back)).toBe(true);
      await back.recordBrought(session.sessionKey, back.lease.epoch);
      expect(await run(back)).toBe(false);
    });

    it("stays while its home has left a turn without an end in it", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn } = await begin(one);
      await one.close();
      const next = () => other.createTurn(nextIn(turn.sessionId, { workspaceIfMoved }));
      await expect(next()).rejects.toMatchObject(elsewhere);
      await other.append(endOf(turn.turnId));
      expect((await next()).session.home).toBe("other");
    });

    it("stays where the turn is refused for something else", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn, session } = await beginEnded(one);
      await one.close();
      const refusal = { reason: "DRAINING", message: "closing" } as const;
      for (const [more, reason] of [
        [{ refusal }, "DRAINING"],
        [{ maxSessionTurns: 1 }, "SESSION_FULL"],
        [{ sentAgentKind: "another", agents: [] }, "AGENT_KIND_MISMATCH"],
      ] as const) {
        const next = nextIn(turn.sessionId, { workspaceIfMoved, ...more });
        await expect(other.createTurn(next)).rejects.toMatchObject({ reason });
      }
      expect(await other.homeOfSession(session)).toMatchObject({ owner: "one", isPresent: false });
      const back = await servers.restart("one");
      const started = await back.createTurn(nextIn(turn.sessionId));
      expect(started.session).toMatchObject({ workspace: session.workspace, isMoved: false });
    });

    it("moves to one of those who ask at once", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const third = await servers.restart("third");
      const { turn } = await beginEnded(one);
      await one.close();
      const requestId = randomUUID();
      const asked = [other, third, other, third].map((server) =>
        server.createTurn(nextIn(turn.sessionId, { workspaceIfMoved, requestId })),
      );
      const [first, ...more] = await Promise.all(asked);
      for (const { turn: same } of more) expect(same.turnId).toBe(first!.turn.turnId);
      expect((await other.getSession(turn.sessionId, PRINCIPAL)).turnCount).toBe(2);
    });
  });

  describe("a home", () => {
    it("is told of a session by its name, and of a turn until that has ended", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn, session } = await begin(one);
      const { sessionId, turnId } = turn;
      const known = { owner: "one", address: addressOf("one"), isPresent: true };
      for (const server of [one, other]) {
        expect(await server.homeOfSession(nameOf(PRINCIPAL, sessionId))).toEqual(known);
        expect(await server.homeOfTurn(turnId)).toEqual(known);
        expect(await server.homeOfSession(nameOf("bob", sessionId))).toBeUndefined();
        expect(await server.homeOfSession(nameOf(PRINCIPAL, randomUUID()))).toBeUndefined();
        for (const none of [session.sessionKey, "no id", ""]) {
          expect(await server.homeOfTurn(none)).toBeUndefined();
        }
      }
      await one.append(endOf(turnId));
      expect(await other.homeOfTurn(turnId)).toBeUndefined();
      expect(await other.homeOfSession(session)).toEqual(known);
      await one.deleteNamed(sessionId, PRINCIPAL, 5);
      expect(await other.homeOfSession(session)).toBeUndefined();
    });

    it("is present while it holds a lease, which may have run out, and is reached as it said last", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn, session } = await begin(one);
      servers.passLeases(TERMS.leaseMs + 1);
      expect(await other.homeOfTurn(turn.turnId)).toMatchObject({ isPresent: true });
      await other.renewLease(other.lease.epoch);
      await other.fence("one");
      const away = { owner: "one", address: "", isPresent: false };
      expect(await other.homeOfTurn(turn.turnId)).toEqual(away);
      expect(await other.homeOfSession(session)).toEqual(away);
      for (const address of ["elsewhere.example:1", ""]) {
        await servers.restart("one", address);
        const back = { owner: "one", address, isPresent: true };
        expect(await other.homeOfTurn(turn.turnId)).toEqual(back);
        expect(await other.homeOfSession(session)).toEqual(back);
      }
    });
  });

  describe("a session's removal", () => {
    it("is its home's while a lease of that holds", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn, session } = await beginEnded(one);
      const remove = (server: typeof one) => server.deleteNamed(turn.sessionId, PRINCIPAL, 5);
      await expect(remove(other)).rejects.toMatchObject(elsewhere);
      await expect(other.deleteNamed(turn.sessionId, "bob", 5)).rejects.toMatchObject(NOT_FOUND);
      expect(await one.getSession(turn.sessionId, PRINCIPAL)).toMatchObject({
        ...session,
        runningTurnId: "",
        lastActiveTime: 2,
        changeCount: 2,
      });
      expect(await remove(one)).toMatchObject({ home: "one" });
    });

    it("is on its home's list where another server took it off the record meanwhile", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn, session } = await beginEnded(one);
      await one.close();
      const removed = await other.deleteNamed(turn.sessionId, PRINCIPAL, 5);
      const { workspace, agentSessionId } = session;
      expect(removed).toMatchObject({ home: "one", workspace, agentSessionIds: [agentSessionId] });
      while (await other.removeSome());
      const again = await servers.restart("one");
      expect(await again.listRemovals("other")).toEqual([]);
      expect(await again.listRemovals("one")).toEqual([removed]);
      await again.recordRemoved(workspace);
      expect(await again.listRemovals("one")).toEqual([]);
    });

    it("by age is that of sessions at home here, and of those without one that holds", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const [there, here] = [await beginEnded(one), await beginEnded(other)];
      const remove = async () => {
        const { sessions } = await other.removeEndedTurns(100, 100, 100);
        return sessions.map(({ sessionId, home }) => [sessionId, home]);
      };
      expect(await remove()).toEqual([[here.turn.sessionId, "other"]]);
      expect(await remove()).toEqual([]);
      await one.getTurn(there.turn.turnId, PRINCIPAL);
      await one.close();
      expect(await remove()).toEqual([[there.turn.sessionId, "one"]]);
      const again = await servers.restart("one");
      expect(await again.listRemovals()).toHaveLength(1);
    });
  });

  describe("the way to a session's home", () => {
    it("brings what is asked to the server of that name, and its answer back", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const [home, stranger] = [new HomeUnderTest(), new HomeUnderTest()];
      one.commands.serveHome("one", home);
      const stop = other.commands.serveHome("other", stranger);
      const asked = { ...ASKED, attachments: [{ ...FILE, data: new Uint8Array([1, 2, 3]) }] };
      expect(await other.commands.homeOf("one").run(asked, callerNamed("bob"))).toBe("the turn");
      expect(
        await other.commands
          .homeOf("one")
          .deleteSession(nameOf("bob", "a session"), callerNamed("bob")),
      ).toBe(true);
      home.refusal = new Refusal("SESSION_FULL", "it is full", { metadata: { turns: "3" } });
      await expect(
        other.commands.homeOf("one").run(ASKED, callerNamed("bob")),
      ).rejects.toMatchObject({
        reason: "SESSION_FULL",
        message: "it is full",
        details: { metadata: { turns: "3" } },
      });
      expect(home.asked).toEqual([
        [asked, callerNamed("bob")],
        [nameOf("bob", "a session"), callerNamed("bob")],
        [ASKED, callerNamed("bob")],
      ]);
      expect(stranger.asked).toEqual([]);
      stop();
      stop();
    });

    it("says so where it cannot be reached, and has nobody else do it", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const [before, home] = [new HomeUnderTest(), new HomeUnderTest()];
      const stopBefore = one.commands.serveHome("one", before);
      const stop = one.commands.serveHome("one", home);
      stopBefore();
      await other.commands
        .homeOf("one")
        .deleteSession(nameOf("bob", "a session"), callerNamed("bob"));
      expect([before.asked, home.asked]).toEqual([
        [],
        [[nameOf("bob", "a session"), callerNamed("bob")]],
      ]);
      stop();
      const { run, deleteSession } = other.commands.homeOf("one");
      await expect(run(ASKED, callerNamed("bob"))).rejects.toMatchObject(elsewhere);
      await expect(
        deleteSession(nameOf("bob", "a session"), callerNamed("bob")),
      ).rejects.toMatchObject(elsewhere);
    });
  });

  it("lets a turn end that was recorded elsewhere, wherever it is read", async () => {
    await using servers = await open();
    const { one, other } = servers;
    const { turn } = await begin(one);
    const heard = Promise.withResolvers<void>();
    other.changes.listenToTurn(turn.turnId, heard.resolve);
    await one.append(endOf(turn.turnId));
    await heard.promise;
    expect(await other.getTurn(turn.turnId, PRINCIPAL)).toMatchObject({ lastSequence: 1 });
  });
}

const FILE = { name: "a.bin", mediaType: "application/octet-stream" };

const ASKED: RunRequest = {
  ...{
    sessionId: "a session",
    sessionPrincipal: "",
    prompt: "p",
    agentKind: "other",
    model: "",
    agent: "",
  },
  requestId: "a request",
  ...{ timeoutMs: undefined, permissionMode: PermissionMode.ASK, attachments: [], recall: false },
};

/** A home that notes what it is asked. */
class HomeUnderTest implements SessionHome {
  readonly asked: [unknown, Caller][] = [];
  refusal: Refusal | undefined;

  async run(request: RunRequest, caller: Caller): Promise<string> {
    this.asked.push([request, caller]);
    if (this.refusal !== undefined) throw this.refusal;
    return "the turn";
  }

  async deleteSession(name: SessionName, caller: Caller): Promise<boolean> {
    this.asked.push([name, caller]);
    return true;
  }
}
