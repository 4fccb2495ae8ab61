import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ChainCheck } from "../../src/audit/chain-check.ts";
import type { AuditEntry } from "../../src/audit/entry.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { type OwnedStore, owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";

/** What makes a call fail behind its audit records. */
const BROKEN_TIME = 666;

let folder: string;
let path: string;
let store: OwnedStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  path = join(folder, "breakglass.db");
  store = owned(await openSqliteStore(path));
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

async function inFile(sql: string): Promise<void> {
  await store.close();
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
  store = owned(await openSqliteStore(path));
}

const entry = (name: string): AuditEntry => ({ kind: "tools_called", facts: { name } });
const event = (turnId: string, name: string, firstSequence = 1, time = 1) => ({
  ...{ turnId, firstSequence, time },
  ...{ events: [new TextEncoder().encode(name)], audit: [entry(name)] },
});
const statuses = async (asked: Promise<unknown>[]) =>
  (await Promise.allSettled(asked)).map(({ status }) => status);

async function namesOnRecord(): Promise<unknown[]> {
  const check = new ChainCheck();
  const lines = await store.readAudit(store.lease.owner, 0, 1e9);
  const names = lines.map((line) => check.take(line).facts?.name);
  check.end();
  return names;
}

describe("of calls that share a commit", () => {
  it.each([
    ["ABORT", "sessions"],
    ["ROLLBACK", "sessions"],
    ["ABORT", "events"],
    ["ROLLBACK", "events"],
  ])(
    "one that fails (%s, at its %s) leaves no audit record, and the chain goes on",
    async (how, where) => {
      const onSessions = `BEFORE UPDATE ON sessions WHEN NEW.last_active_time = ${BROKEN_TIME}`;
      const onEvents = "BEFORE INSERT ON events WHEN CAST(NEW.event AS TEXT) = 'broken'";
      const on = where === "sessions" ? onSessions : onEvents;
      await inFile(`CREATE TRIGGER broken ${on} BEGIN SELECT RAISE(${how}, 'it is broken'); END`);
      const starts = [turnStart(), turnStart(), turnStart()];
      await Promise.all(starts.map((start) => store.createTurn(start)));
      const [one, broken, other] = starts.map(({ turnId }) => turnId) as [string, string, string];
      // One event and its record, which are two statements, or more.
      const end = where === "sessions" ? { end: SUCCEEDED } : {};
      const asked = [
        store.append(event(one, "one")),
        store.append({ ...event(broken, "broken", 1, BROKEN_TIME), ...end }),
        store.append({ ...event(other, "other"), ...end }),
        store.recordAudit([entry("by itself")], store.lease.epoch),
      ];
      const done = ["fulfilled", "rejected", "fulfilled", "fulfilled"];
      expect(await statuses(asked)).toEqual(done);
      expect(await namesOnRecord()).toEqual(["one", "other", "by itself"]);
      await store.append({ ...event(broken, "mended"), ...end });
      expect(await namesOnRecord()).toEqual(["one", "other", "by itself", "mended"]);
    },
  );

  it("one whose audit record cannot be written leaves nothing else either", async () => {
    await inFile(
      `CREATE TRIGGER broken BEFORE INSERT ON audit WHEN NEW.line LIKE '%broken%'
        BEGIN SELECT RAISE(ABORT, 'it is broken'); END`,
    );
    const start = turnStart({ audit: [entry("start")] });
    const refused = turnStart({ audit: [entry("broken")] });
    expect(await statuses([store.createTurn(refused), store.createTurn(start)])).toEqual([
      "rejected",
      "fulfilled",
    ]);
    const { turnId } = start;
    const gone = store.getTurn(refused.turnId, "alice");
    await expect(gone).rejects.toMatchObject({ reason: "NOT_FOUND" });
    const broken = store.append(event(turnId, "broken"));
    await expect(broken).rejects.toMatchObject({ reason: "STORAGE" });
    expect(await store.readEvents(turnId, 0, 1000)).toEqual([]);
    await store.append({ ...event(turnId, "end"), end: SUCCEEDED });
    const { sessionId } = start.newSession;
    const removed = store.deleteNamed(sessionId, "alice", 9, undefined, [entry("broken")]);
    await expect(removed).rejects.toMatchObject({ reason: "STORAGE" });
    expect((await store.getSession(sessionId, "alice")).turnCount).toBe(1);
    const expired = store.removeEndedTurns(100, 9, 9, undefined, [entry("broken")]);
    await expect(expired).rejects.toMatchObject({ reason: "STORAGE" });
    expect((await store.getSession(sessionId, "alice")).turnCount).toBe(1);
    expect(await namesOnRecord()).toEqual(["start", "end"]);
  });
});
