import { describe, expect, it } from "vitest";
import { beginEnded, FENCED, nextIn, openServers, PRINCIPAL, TERMS } from "./servers.ts";
import type { StoreUnderTest } from "./store-under-test.ts";

/** What servers rely on of which snapshots count. */
export function describeSnapshots(openStore: () => Promise<StoreUnderTest>): void {
  const open = () => openServers(openStore);
  const snapshot = (time: number) => ({ key: `a key ${time}`, time });

  describe("a snapshot", () => {
    it("is the one that was recorded last, for whoever asks", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { session, turn } = await beginEnded(one);
      const { sessionKey } = session;
      const { turnId: newestTurnId } = turn;
      expect(await one.findSnapshot(sessionKey)).toEqual({ snapshot: undefined, newestTurnId });
      await one.recordSnapshot(sessionKey, snapshot(1), one.lease.epoch);
      await one.recordSnapshot(sessionKey, snapshot(2), one.lease.epoch);
      const again = await servers.restart("one");
      for (const server of [again, other]) {
        expect(await server.findSnapshot(sessionKey)).toEqual({
          snapshot: snapshot(2),
          newestTurnId,
        });
      }
      const next = nextIn(session.sessionId);
      await again.createTurn(next);
      expect((await other.findSnapshot(sessionKey)).newestTurnId).toBe(next.turnId);
    });

    it("is recorded by the session's home alone, under a lease that holds, while the session is there", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { sessionKey, sessionId } = (await beginEnded(one)).session;
      const { epoch } = one.lease;
      await one.recordSnapshot(sessionKey, snapshot(1), epoch);
      const elsewhere = other.recordSnapshot(sessionKey, snapshot(2), other.lease.epoch);
      await expect(elsewhere).rejects.toMatchObject({ reason: "SESSION_ELSEWHERE" });
      servers.passLeases(TERMS.leaseMs + 1);
      await other.renewLease(other.lease.epoch);
      await other.fence("one", other.lease.epoch);
      const late = one.recordSnapshot(sessionKey, snapshot(3), epoch);
      await expect(late).rejects.toMatchObject(FENCED);
      expect((await other.findSnapshot(sessionKey)).snapshot).toEqual(snapshot(1));
      const again = await servers.restart("one");
      await again.deleteNamed(sessionId, PRINCIPAL, 9);
      const gone = { reason: "NOT_FOUND" };
      await expect(again.findSnapshot(sessionKey)).rejects.toMatchObject(gone);
      const deleted = again.recordSnapshot(sessionKey, snapshot(4), again.lease.epoch);
      await expect(deleted).rejects.toMatchObject(gone);
    });
  });
}
