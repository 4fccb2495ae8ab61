import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { SCHEMA_VERSION } from "../../src/store/sqlite/schema.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { ownView } from "../../src/store/views.ts";
import { owned } from "../support/owned-store.ts";
import { NODE_FLAGS } from "../support/program.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";

const APPENDING = fileURLToPath(new URL("appending.ts", import.meta.url));

/** A store as a server of an older schema left it; see `stores/keep-store.ts`. */
async function older(version: number) {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  const path = join(folder, "breakglass.db");
  const dump = new URL(`stores/version-${version}.sql`, import.meta.url);
  const database = new DatabaseSync(path);
  database.exec(await readFile(fileURLToPath(dump), "utf8"));
  // From version 4 on what is off the record is still there.
  const onRecord =
    version < 4 ? "" : "JOIN sessions USING (session_key) WHERE sessions.remove_time IS NULL";
  const events = database
    .prepare(
      `SELECT event FROM events JOIN turns USING (turn_key) ${onRecord} ORDER BY turn_key, sequence`,
    )
    .all();
  const turns = database
    .prepare(`SELECT turn_id, turns.principal FROM turns ${onRecord} ORDER BY turn_key`)
    .all();
  database.close();
  return {
    path,
    events: events.map(({ event }) => event as Uint8Array),
    turns: turns.map((row) => ({ turnId: String(row.turn_id), principal: String(row.principal) })),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

describe.each([1, 2, 3, 4, 5, 6, 7, 9])("a store of schema version %i", (version) => {
  it("is brought forward with every turn and event as it was, to the byte", async () => {
    await using kept = await older(version);
    const store = owned(await openSqliteStore(kept.path));
    const found: Uint8Array[] = [];
    for (const { turnId, principal } of kept.turns) {
      const events = await store.readEvents(turnId, 0, 1_000_000);
      expect(await store.getTurn(turnId, principal)).toMatchObject({
        turnId,
        lastSequence: events.length,
      });
      found.push(...events);
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
    expect(own).toHaveLength(version < 3 ? 2 : 1);
    expect(processes.every(({ workspace }) => workspace !== "")).toBe(true);
    await store.close();
    const database = new DatabaseSync(kept.path);
    expect(database.prepare("PRAGMA user_version").get()?.user_version).toBe(SCHEMA_VERSION);
    expect(database.prepare("PRAGMA integrity_check").get()?.integrity_check).toBe("ok");
    database.close();
  });

  it("has its sessions and their conversations with the one kind of agent that there was", async () => {
    await using kept = await older(version);
    const store = owned(await openSqliteStore(kept.path));
    const sessions = new Map<string, string>();
    for (const { turnId, principal } of kept.turns) {
      const { sessionId } = await store.getTurn(turnId, principal);
      const session = await store.getSession(sessionId, principal);
      expect(session.agentKind).toBe("claude");
      sessions.set(session.sessionKey, session.agentSessionId);
    }
    expect(sessions.size).toBeGreaterThan(1);
    // First others': what is claimed is on record from then on.
    for (const [key, own] of sessions) {
      for (const [other, id] of sessions) {
        if (other !== key)
          expect([id, await store.claimConversation(key, id)]).toEqual([id, false]);
      }
      expect(await store.claimConversation(key, own)).toBe(true);
    }
    await store.close();
  });

  it("has its requests joined by retries of them, and by nothing else", async () => {
    await using kept = await older(version);
    const store = owned(await openSqliteStore(kept.path));
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
    const filter = { states: [], since: undefined, query: 'S "QUOTED"; --\nit' };
    const bob = ownView("bob");
    // Of many turns those are looked at that the index of prompts has.
    await (await openSqliteStore(kept.path)).close();
    const database = new DatabaseSync(kept.path);
    const indexed = database
      .prepare(
        "SELECT prompt FROM prompts JOIN turns ON search_key = prompts.rowid WHERE prompts MATCH ?",
      )
      .all('"QUO" AND "OTE" AND "TED"');
    database.close();
    expect(indexed.length).toBeGreaterThan(0);
    const store = owned(await openSqliteStore(kept.path));
    expect((await store.listAllTurns(bob, filter, 10, undefined)).items).toHaveLength(1);
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
    const store = owned(await openSqliteStore(kept.path));
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
    const store = owned(await openSqliteStore(kept.path));
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

describe("a store of schema version 4", () => {
  it("goes on with the removal of what is off the record, and with the turn that was running", async () => {
    await using kept = await older(4);
    const store = owned(await openSqliteStore(kept.path));
    while (await store.removeSome());
    const [left] = await store.listLeftTurns();
    const { turnId, lastSequence } = left!;
    const next = { turnId, firstSequence: lastSequence + 1, time: 1 };
    await store.append({ ...next, events: [new Uint8Array(1)], end: SUCCEEDED });
    await store.close();
    const database = new DatabaseSync(kept.path);
    const { count } = database.prepare("SELECT count(*) AS count FROM events").get()!;
    expect(count).toBe(kept.events.length + 1);
    database.close();
  });

  it("that is large is as it was where its server is killed on the way, and comes forward after it", async () => {
    await using kept = await older(4);
    const { turnId, principal } = kept.turns[0]!;
    const lastSequence = enlarge(kept.path, turnId);
    const child = spawn(process.execPath, [...NODE_FLAGS, APPENDING, kept.path]);
    const ended = once(child, "exit");
    // It has begun to write, and has far more to write.
    const wal = `${kept.path}-wal`;
    while (!existsSync(wal) || statSync(wal).size < 1_000_000) await turnOfTheLoop();
    child.kill("SIGKILL");
    expect(await ended).toEqual([null, "SIGKILL"]);
    const database = new DatabaseSync(kept.path);
    expect(database.prepare("PRAGMA user_version").get()?.user_version).toBe(4);
    database.close();
    const store = owned(await openSqliteStore(kept.path));
    expect((await store.getTurn(turnId, principal)).lastSequence).toBe(lastSequence);
    let read = 0;
    for (let more = true; more; ) {
      const { length } = await store.readEvents(turnId, read, 1_000_000);
      read += length;
      more = length > 0;
    }
    expect(read).toBe(lastSequence);
    await store.close();
  });
});

/** Gives a turn that has ended 200,000 events more, 60 MB. Answers its last sequence. */
function enlarge(path: string, turnId: string): number {
  const database = new DatabaseSync(path);
  database
    .prepare(`WITH turn AS (SELECT turn_key, last_sequence FROM turns WHERE turn_id = ?),
      more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < 200000)
      INSERT INTO events (turn_key, sequence, event) SELECT turn_key, last_sequence + n, randomblob(300) FROM turn, more`)
    .run(turnId);
  const row = database
    .prepare(
      "UPDATE turns SET last_sequence = last_sequence + 200000 WHERE turn_id = ? RETURNING last_sequence",
    )
    .get(turnId);
  database.close();
  return Number(row?.last_sequence);
}

describe("a store of schema version 1", () => {
  it("stays as it is where a step fails, and comes forward when it can", async () => {
    await using kept = await older(1);
    const database = new DatabaseSync(kept.path);
    // In the way of the step's table.
    database.exec("CREATE TABLE removals (something TEXT)");
    database.close();
    await expect(openSqliteStore(kept.path)).rejects.toThrow(/removals already exists/);
    const again = new DatabaseSync(kept.path);
    expect(again.prepare("PRAGMA user_version").get()?.user_version).toBe(1);
    again.exec("DROP TABLE removals");
    again.close();
    const store = owned(await openSqliteStore(kept.path));
    expect(await store.listRemovals()).toEqual([]);
    await store.close();
  });
});

it("has its audit where a server of schema version 16 kept it by other keys", async () => {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  const path = join(folder, "breakglass.db");
  const store = owned(await openSqliteStore(path));
  const { owner, epoch } = store.lease;
  await store.recordAudit([{ kind: "server_started" }, { kind: "audit_read" }], epoch);
  const lines = await store.readAudit(owner, 0, 1_000_000);
  expect(lines).toHaveLength(2);
  await store.close();
  const database = new DatabaseSync(path);
  database.exec("DROP TABLE audit; DROP TABLE audit_chains");
  // Of later versions.
  database.exec("DROP TABLE transcripts; DROP TABLE transcript_heads");
  for (const column of ["is_moved", "snapshot_key", "snapshot_time"]) {
    database.exec(`ALTER TABLE sessions DROP COLUMN ${column}`);
  }
  database.exec(
    "CREATE TABLE audit (owner TEXT NOT NULL, sequence INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (owner, sequence)) STRICT, WITHOUT ROWID",
  );
  const insert = database.prepare("INSERT INTO audit VALUES (?, ?, ?)");
  for (const [index, line] of lines.entries()) insert.run(owner, index + 1, line);
  insert.run("another server", 1, lines[0]!);
  database.exec("PRAGMA user_version = 16");
  database.close();

  const opened = owned(await openSqliteStore(path));
  expect(await opened.readAudit(owner, 0, 1_000_000)).toEqual(lines);
  expect(await opened.readAudit("another server", 0, 1_000_000)).toEqual([lines[0]]);
  await opened.recordAudit([{ kind: "server_ended" }], opened.lease.epoch);
  const next = JSON.parse((await opened.readAudit(owner, 2, 1_000_000))[0]!);
  expect(next).toMatchObject({ sequence: 3, previous: JSON.parse(lines[1]!).hash });
  await opened.close();
});
