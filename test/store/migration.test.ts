import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { SCHEMA_VERSION } from "../../src/store/sqlite/schema.ts";
import { SqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { turnStart } from "../support/turn-start.ts";

/** A store as a server of an older schema left it; see `stores/keep-store.ts`. */
async function older(version: number) {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  const path = join(folder, "breakglass.db");
  const dump = new URL(`stores/version-${version}.sql`, import.meta.url);
  const database = new DatabaseSync(path);
  database.exec(await readFile(fileURLToPath(dump), "utf8"));
  const events = database.prepare("SELECT event FROM events ORDER BY turn_key, sequence").all();
  const turns = database.prepare("SELECT turn_id, principal FROM turns ORDER BY turn_key").all();
  database.close();
  return {
    path,
    events: events.map(({ event }) => event as Uint8Array),
    turns: turns.map((row) => ({ turnId: String(row.turn_id), principal: String(row.principal) })),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

describe.each([1, 2, 3])("a store of schema version %i", (version) => {
  it("is brought forward with every turn and event as it was, to the byte", async () => {
    await using kept = await older(version);
    const store = await SqliteStore.open(kept.path);
    const found: Uint8Array[] = [];
    for (const { turnId, principal } of kept.turns) {
      expect((await store.getTurn(turnId, principal)).turnId).toBe(turnId);
      found.push(...(await store.readEvents(turnId, 0, 1_000_000)));
    }
    expect(kept.events.length).toBeGreaterThan(5);
    expect(found.map((event) => Buffer.from(event))).toEqual(
      kept.events.map((event) => Buffer.from(event)),
    );
    // Version 1 kept no list of them.
    expect(await store.listRemovals()).toHaveLength(version === 1 ? 0 : 1);
    const left = await store.listLeftTurns();
    expect(left).toHaveLength(1);
    const sessionId = left[0]!.sessionId;
    const changes = await store.listChanges(sessionId, "alice", 0, 100);
    expect(changes.map(({ cursor, kind }) => [cursor, kind])).toEqual([
      ...[
        [1, "started"],
        [2, "ended"],
        [3, "started"],
        [4, "ended"],
        [5, "started"],
      ],
    ]);
    expect(changes[0]?.turn).toMatchObject({ origin: 1, permissionMode: 1, attachments: [] });
    // Up to version 2 each of Alice's turns but the first had one that was not known to be gone.
    const processes = await store.listLeftProcesses();
    const own = processes.filter((process) => process.sessionKey === left[0]!.sessionKey);
    expect(own).toHaveLength(version === 3 ? 1 : 2);
    expect(processes.every(({ workspace }) => workspace !== "")).toBe(true);
    await store.close();
    const database = new DatabaseSync(kept.path);
    expect(database.prepare("PRAGMA user_version").get()?.user_version).toBe(SCHEMA_VERSION);
    expect(database.prepare("PRAGMA integrity_check").get()?.integrity_check).toBe("ok");
    database.close();
  });

  it("has its requests joined by retries of them, and by nothing else", async () => {
    await using kept = await older(version);
    const store = await SqliteStore.open(kept.path);
    const retry = turnStart({
      principal: "alice",
      prompt: "What is wrong with the gateway?",
      requestId: "72657175-0000-7000-8000-000000000001",
    });
    expect(await store.createTurn(retry)).toMatchObject({
      joined: true,
      turn: { turnId: kept.turns[0]!.turnId },
    });
    for (const other of [
      { sentPermissionMode: PermissionMode.BYPASS },
      { attachmentsDigest: "abc" },
      { model: "opus" },
    ]) {
      await expect(store.createTurn({ ...retry, ...other })).rejects.toMatchObject({
        reason: "REQUEST_ID_REUSED",
      });
    }
    await store.close();
  });

  it("takes what is new in the schema", async () => {
    await using kept = await older(version);
    const store = await SqliteStore.open(kept.path);
    const { sessions } = await store.removeEndedTurns(Date.UTC(2100, 0), 100, Date.UTC(2026, 11));
    // Alice's session has a running turn.
    expect(sessions).toHaveLength(1);
    const [first] = kept.turns;
    await expect(store.getTurn(first!.turnId, first!.principal)).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
    await store.close();
  });
});

describe("a store of schema version 3", () => {
  it("leaves a conversation that two sessions have to the first of them, and gives the other its own", async () => {
    await using kept = await older(3);
    const database = new DatabaseSync(kept.path);
    const sessions = database.prepare("SELECT * FROM sessions ORDER BY create_time").all();
    const [alice, bob] = sessions.map((row) => ({
      sessionId: String(row.session_id),
      principal: String(row.principal),
    }));
    const taken = String(sessions[0]!.agent_session_id);
    database.exec(`UPDATE sessions SET agent_session_id = '${taken}'`);
    database.exec(`UPDATE removals SET agent_session_id = '${taken}'`);
    database.close();
    const store = await SqliteStore.open(kept.path);
    const first = await store.getSession(alice!.sessionId, alice!.principal);
    expect(first.agentSessionId).toBe(taken);
    const second = await store.getSession(bob!.sessionId, bob!.principal);
    expect(second.agentSessionId).toMatch(UUID);
    expect(second.agentSessionId).not.toBe(taken);
    // What is being removed does not take it along.
    expect((await store.listRemovals()).map((removed) => removed.agentSessionIds)).toEqual([[]]);
    expect(await store.claimConversation(first.sessionKey, taken)).toBe(true);
    expect(await store.claimConversation(second.sessionKey, second.agentSessionId)).toBe(true);
    await store.close();
  });

  it("goes on with the removal of sessions whose id was opened again", async () => {
    await using kept = await older(3);
    const database = new DatabaseSync(kept.path);
    const row = database.prepare("SELECT session_id, principal FROM sessions").get();
    const sessionId = String(row?.session_id);
    const insert = database.prepare("INSERT INTO removals VALUES (?, ?, ?)");
    for (const name of ["a", "b"]) insert.run(`/workspaces/${name}`, sessionId, `agent ${name}`);
    for (const name of ["c", "d"]) insert.run(`/workspaces/${name}`, "another", `agent ${name}`);
    const process = database.prepare("INSERT INTO processes VALUES (?, ?, ?)");
    process.run("left", sessionId, "/workspaces/a");
    database.close();
    const store = await SqliteStore.open(kept.path);
    const removals = await store.listRemovals();
    expect(new Set(removals.map(({ sessionKey }) => sessionKey)).size).toBe(5);
    const { sessionKey } = await store.getSession(sessionId, String(row?.principal));
    expect(removals.map((removed) => removed.sessionKey)).not.toContain(sessionKey);
    const left = (await store.listLeftProcesses()).find(({ processId }) => processId === "left");
    const own = removals.find(({ workspace }) => workspace === "/workspaces/a");
    expect(left?.sessionKey).toBe(own?.sessionKey);
    for (const { workspace } of removals) await store.recordRemoved(workspace);
    expect(await store.listRemovals()).toEqual([]);
    await store.close();
  });
});

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("a store of schema version 1", () => {
  it("stays as it is where a step fails, and comes forward when it can", async () => {
    await using kept = await older(1);
    const database = new DatabaseSync(kept.path);
    // In the way of the step's table.
    database.exec("CREATE TABLE removals (something TEXT)");
    database.close();
    await expect(SqliteStore.open(kept.path)).rejects.toThrow(/removals already exists/);
    const again = new DatabaseSync(kept.path);
    expect(again.prepare("PRAGMA user_version").get()?.user_version).toBe(1);
    again.exec("DROP TABLE removals");
    again.close();
    const store = await SqliteStore.open(kept.path);
    expect(await store.listRemovals()).toEqual([]);
    await store.close();
  });
});
