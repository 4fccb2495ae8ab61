import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ChainCheck } from "../../../src/audit/chain-check.ts";
import type { AuditEntry } from "../../../src/audit/entry.ts";
import type { Store } from "../../../src/store/store.ts";
import type { OwnedStore } from "../../support/owned-store.ts";
import { bytes, ended, endOf, PRINCIPAL, turnStart } from "./recorded.ts";
import { openServers } from "./servers.ts";
import type { OpenStore, StoreUnderTest } from "./store-under-test.ts";

const entry = (name: string): AuditEntry => ({ kind: "tools_called", facts: { name } });
const audit = (...names: string[]) => ({ audit: names.map(entry) });

/** The records of a server's chain, which must be right. */
async function recordsOf(store: Store | OwnedStore, owner = store.lease.owner) {
  const check = new ChainCheck();
  const records = (await store.readAudit(owner, 0, 1e9)).map((line) => check.take(line));
  check.end();
  return records;
}

async function namesOf(store: Store | OwnedStore, owner?: string) {
  return (await recordsOf(store, owner)).map(({ facts }) => facts?.name);
}

/** What goes on record with what is done, in one chain a server. */
export function describeAudit(open: OpenStore, openStore: () => Promise<StoreUnderTest>): void {
  describe("the audit", () => {
    it("has what was handed with a write that was done, in that order, and over restarts", async () => {
      await using opened = await open();
      let { store } = opened;
      expect(await store.readAuditHead(store.lease.owner)).toBeUndefined();
      const start = turnStart(audit("start"));
      const { turnId, newSession } = start;
      const event = { turnId, firstSequence: 1, events: bytes("tool"), time: 1 };
      await Promise.all([
        store.createTurn(start),
        store.append({ ...event, ...audit("one", "other") }),
        store.append({ ...event, firstSequence: 2, events: bytes("text") }),
      ]);
      store = await opened.reopen();
      await store.recordAudit([entry("by itself")], store.lease.epoch);
      const { sequence: last } = (await recordsOf(store)).at(-1)!;
      await store.append({ ...endOf(turnId), firstSequence: 3, ...audit("end") });
      const { epoch } = store.lease;
      await store.deleteNamed(newSession.sessionId, PRINCIPAL, 9, epoch, [entry("deleted")]);
      const names = ["start", "one", "other", "by itself", "end", "deleted"];
      expect(await namesOf(store)).toEqual(names);
      const records = await recordsOf(store);
      expect(records[0]?.session_id).toBe(newSession.sessionId);
      const { chain, sequence, hash } = records.at(-1)!;
      expect(await store.readAuditHead(store.lease.owner)).toEqual({ chain, sequence, hash });
      const rest = await store.readAudit(store.lease.owner, last, 1);
      expect(rest).toHaveLength(1);
      expect(rest[0]).toContain('"end"');
    });

    it("has nothing of what was refused or joined", async () => {
      await using opened = await open();
      const { store } = opened;
      const start = turnStart({ requestId: randomUUID(), ...audit("start") });
      await store.createTurn(start);
      const again = { ...start, turnId: randomUUID(), ...audit("joined") };
      expect((await store.createTurn(again)).joined).toBe(true);
      const { turnId, newSession } = start;
      const second = turnStart({ session: newSession.sessionId, ...audit("second") });
      const { epoch } = store.lease;
      const done = await Promise.allSettled([
        store.createTurn(second),
        store.append({ ...endOf(turnId), firstSequence: 7, ...audit("gap") }),
        store.append({ ...endOf(randomUUID()), ...audit("no turn") }),
        store.append({ ...endOf(turnId), ...audit("end") }),
        store.append({ ...endOf(turnId), firstSequence: 2, ...audit("after the end") }),
        store.deleteNamed(randomUUID(), PRINCIPAL, 9, epoch, [entry("no session")]),
        store.removeEndedTurns(1, 10, 9, epoch, [entry("none old enough")]),
      ]);
      const statuses = done.map(({ status }) => status === "fulfilled");
      expect(statuses).toEqual([false, false, false, true, false, false, true]);
      expect(await namesOf(store)).toEqual(["start", "end"]);
    });

    it("tells which turns were removed for their age", async () => {
      await using opened = await open();
      const { store } = opened;
      const one = await ended(store);
      await ended(store);
      const { epoch } = store.lease;
      await store.removeEndedTurns(100, 1, 100, epoch, [{ kind: "turns_expired" }]);
      const [record] = await recordsOf(store);
      expect(record?.facts).toEqual({ turns: 1, sessions: [one.newSession.sessionId] });
    });

    it("loses its beginning only, and says so in the same commit", async () => {
      await using opened = await open();
      const { store } = opened;
      const { owner, epoch } = store.lease;
      for (const name of ["1", "2", "3"]) await store.recordAudit([entry(name)], epoch);
      expect(await store.findAuditBefore(owner, 0)).toBeUndefined();
      const [first, second] = await recordsOf(store);
      // Never the newest.
      const { chain, sequence, hash } = second!;
      expect(await store.findAuditBefore(owner, Infinity)).toEqual({ chain, sequence, hash });
      await store.removeAudit(99, [entry("removed")], epoch);
      const lines = (await store.readAudit(owner, 0, 1e9)).map((line) => JSON.parse(line));
      expect(lines.map(({ facts }) => facts.name)).toEqual(["3", "removed"]);
      expect(lines[0].previous).toBe(second?.hash);
      expect(lines[1].chain).toBe(first?.chain);
    });

    it("is one chain a server, and takes nothing under a lease that has ended", async () => {
      await using servers = await openServers(openStore);
      const { one, other } = servers;
      await one.recordAudit([entry("one")], one.lease.epoch);
      await other.recordAudit([entry("other")], other.lease.epoch);
      await one.recordAudit([entry("one again")], one.lease.epoch);
      const next = await servers.restart("one");
      const late = one.recordAudit([entry("late")], one.lease.epoch);
      await expect(late).rejects.toMatchObject({ reason: "FENCED" });
      await next.recordAudit([entry("next")], next.lease.epoch);
      expect(await namesOf(next, "one")).toEqual(["one", "one again", "next"]);
      expect(await namesOf(next, "other")).toEqual(["other"]);
    });
  });
}
