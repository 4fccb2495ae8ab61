import { describe, expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import {
  begin,
  beginEnded,
  endOf,
  event,
  FENCED,
  nextIn,
  openServers,
  ownIn,
  PRINCIPAL,
  TERMS,
} from "./servers.ts";
import type { StoreUnderTest } from "./store-under-test.ts";

/** What servers that share a store rely on of each other's leases. */
export function describeLeases(openStore: () => Promise<StoreUnderTest>): void {
  const open = () => openServers(openStore);
  const { leaseMs } = TERMS;

  describe("a lease", () => {
    it("is one of several that hold at a time, each with an epoch of its own", async () => {
      await using servers = await open();
      const { one, other } = servers;
      expect([one, other].map(({ lease }) => lease.owner)).toEqual(["one", "other"]);
      expect(one.lease.epoch).not.toBe(other.lease.epoch);
      expect(one.lease.terms).toEqual(TERMS);
      for (const server of [one, other]) {
        const { turn } = await begin(server);
        expect(turn.epoch).toBe(server.lease.epoch);
        await server.append(endOf(turn.turnId));
      }
    });

    it("that ran out holds until it is fenced, and for its whole time where it was renewed", async () => {
      await using servers = await open();
      const { one, other, passLeases } = servers;
      const { turnId } = (await begin(one)).turn;
      passLeases(leaseMs - 1);
      expect(await other.listAway()).toEqual([]);
      expect(await other.fence("one")).toBe(false);
      await one.renewLease(one.lease.epoch);
      passLeases(leaseMs - 1);
      await other.renewLease(other.lease.epoch);
      expect(await other.fence("one")).toBe(false);
      passLeases(2);
      expect(await other.listAway()).toEqual(["one"]);
      await one.append(event(turnId));
      await one.renewLease(one.lease.epoch);
      expect(await other.listAway()).toEqual([]);
      expect(await other.fence("one")).toBe(false);
      await one.append(endOf(turnId, 2));
    });

    it("is ended by a fence for good: nothing is written under it then", async () => {
      await using servers = await open();
      const { one, other, passLeases } = servers;
      const { turn, session } = await begin(one);
      passLeases(leaseMs + 1);
      await other.renewLease(other.lease.epoch);
      expect(await other.fence("one")).toBe(true);
      expect(await other.fence("one")).toBe(true);
      const process = { processId: "late", sessionKey: "", workspace: "/elsewhere" };
      const ended = [
        () => one.renewLease(one.lease.epoch),
        () => one.append(event(turn.turnId)),
        () => one.append(endOf(turn.turnId)),
        () => begin(one),
        () => one.createTurn(ownIn(session.sessionKey)),
        () => one.claimConversation(session.sessionKey, "late"),
        () => one.recordProcess(process),
        () => one.deleteNamed(turn.sessionId, PRINCIPAL, 5),
        () => one.removeEndedTurns(100, 100, 5),
        () => one.fence("other"),
      ];
      for (const write of ended) await expect(write()).rejects.toMatchObject(FENCED);
      expect(await other.getTurn(turn.turnId, PRINCIPAL)).toMatchObject({ lastSequence: 0 });
      await other.append(endOf(turn.turnId));
    });

    it("is ended by a fence between two of many writes, and keeps all before it and none behind", async () => {
      await using servers = await open();
      const { one, other, passLeases } = servers;
      const { turnId } = (await begin(one)).turn;
      const append = (n: number) => one.append(event(turnId, n + 1));
      const before = Array.from({ length: 10 }, (_, n) => append(n));
      passLeases(leaseMs + 1);
      const fenced = other.fence("one");
      const beside = Array.from({ length: 10 }, (_, n) => append(n + 10));
      expect(await fenced).toBe(true);
      const [left] = await other.listLeftTurns("one");
      const behind = Array.from({ length: 10 }, (_, n) => append(n + 20));
      await Promise.all(before);
      const late = await Promise.allSettled(behind);
      expect(late.map(({ status }) => status)).toEqual(Array(10).fill("rejected"));
      const taken = (await Promise.allSettled(beside)).filter(
        ({ status }) => status !== "rejected",
      );
      expect(left).toMatchObject({ turnId, lastSequence: 10 + taken.length });
    });

    it("ends when its server closes the store, or opens it again", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turnId } = (await begin(one)).turn;
      const again = await servers.restart("one");
      await expect(one.append(event(turnId))).rejects.toMatchObject(FENCED);
      await expect(one.renewLease(one.lease.epoch)).rejects.toMatchObject(FENCED);
      await again.append(event(turnId));
      await again.close();
      expect(await other.fence("one")).toBe(true);
      expect(await other.listAway()).toEqual(["one"]);
      await other.append(endOf(turnId, 2));
      expect(await other.listAway()).toEqual([]);
    });

    it("does not end what its server opened it for: others' hold on", async () => {
      await using servers = await open();
      const { turnId } = (await begin(servers.other)).turn;
      await servers.restart("one");
      await servers.one.close();
      await servers.other.append(endOf(turnId));
    });
  });

  describe("a turn that a server left", () => {
    it("is nobody else's while its lease holds", async () => {
      await using servers = await open();
      const { one, other, passLeases } = servers;
      const { turn, session } = await begin(one);
      const { turnId } = turn;
      await one.append(endOf(turnId));
      const own = await one.createTurn(ownIn(session.sessionKey));
      const waiting = await one.createTurn(nextIn(turn.sessionId));
      expect(waiting.turn.state).toBe(TurnState.QUEUED);
      passLeases(leaseMs + 1);
      for (const write of [
        () => other.append(event(own.turn.turnId)),
        () => other.append(endOf(own.turn.turnId)),
        () => other.beginTurn(waiting.turn.turnId),
      ]) {
        await expect(write()).rejects.toMatchObject(FENCED);
      }
      expect(await other.listLeftTurns("one")).toEqual([]);
      await one.append(event(own.turn.turnId));
    });

    it("is ended once, by the first of those who take it over", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { turn, session } = await begin(one);
      await one.append(event(turn.turnId));
      await one.close();
      const again = await servers.restart("one");
      const left = { turnId: turn.turnId, sessionKey: session.sessionKey, lastSequence: 1 };
      for (const server of [other, again]) {
        expect(await server.listLeftTurns("one")).toMatchObject([left]);
      }
      const ends = [other, again].map((server) => server.append(endOf(turn.turnId, 2)));
      const [first, second] = await Promise.allSettled(ends);
      expect(first).toMatchObject({ status: "fulfilled" });
      expect(second).toMatchObject({ status: "rejected", reason: FENCED });
      const { runningTurnId } = await again.getSession(turn.sessionId, PRINCIPAL);
      expect(runningTurnId).toBe("");
      expect(await again.listLeftTurns("one")).toEqual([]);
    });

    it("is found by its home's name, as its processes are", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const started = await Promise.all([begin(one), begin(other)]);
      const processes = started.map(({ session: { sessionKey, workspace } }, n) => {
        return { processId: `process ${n}`, sessionKey, workspace };
      });
      await one.recordProcess(processes[0]!);
      await other.recordProcess(processes[1]!);
      const again = [await servers.restart("one"), await servers.restart("other")];
      for (const [n, name] of ["one", "other"].entries()) {
        const { turnId } = started[n]!.turn;
        expect(await again[n]!.listLeftTurns(name)).toMatchObject([{ turnId }]);
        expect(await again[1 - n]!.listLeftProcesses(name)).toEqual([processes[n]]);
      }
      await beginEnded(again[0]!);
      expect(await again[0]!.listLeftTurns("one")).toHaveLength(1);
    });
  });
}
