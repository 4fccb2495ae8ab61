import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { describe, expect, inject, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { createLog } from "../../src/log.ts";
import { openPostgres } from "../../src/store/postgres/postgres-store.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { ownView } from "../../src/store/views.ts";
import { runCommand, startCommand } from "../commands/run-command.ts";
import { bytesOf, collect, durable, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { owned } from "../support/owned-store.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";
import { makeDatabase, without } from "./databases.ts";

const cluster = inject("cluster");
/** Each command is a process, of which some tests start many. */
const PATIENCE_MS = 300_000;
const silent = createLog(() => {});

/** A folder of a test's own. */
async function makeFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "breakglass-copy-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function copy(from: string, to: string) {
  return runCommand(["store", "copy", from, to], { environment: { HOME: tmpdir() } });
}

/** All rows of all tables but those by which prompts are searched, and that SQLite numbers in its own way. */
function rowsOf(path: string): Record<string, unknown[]> {
  using database = new DatabaseSync(path, { readOnly: true });
  const tables = database
    .prepare("SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main'")
    .all()
    .map(({ name }) => String(name))
    .filter(
      (name) => !["audit", "audit_chains", "sqlite_schema", "sqlite_sequence"].includes(name),
    );
  const rows = tables.toSorted().map((name) => {
    const all = database.prepare(`SELECT * FROM ${name}`).all();
    const kept = all.map((row) =>
      JSON.stringify(row, (key, value) => (key === "search_key" ? 0 : value)),
    );
    return [name, kept.toSorted()];
  });
  const audit = `SELECT owner, place % 4294967296 AS sequence, line FROM audit_chains
    JOIN audit ON place >> 32 = number ORDER BY 1, 2`;
  const given = `SELECT name, max(seq) AS last FROM sqlite_sequence GROUP BY name HAVING max(seq) > 0`;
  return Object.fromEntries([
    ...rows,
    ["audit", database.prepare(audit).all()],
    ["given", database.prepare(given).all()],
  ]);
}

/** Whether searching finds the same in both. */
async function foundIn(path: string, text: string): Promise<string[]> {
  const store = await openSqliteStore(path);
  try {
    const { items } = await store.listAllTurns(
      ownView("alice"),
      { states: [], since: undefined, query: text },
      100,
      undefined,
    );
    return items.map(({ turnId }) => turnId);
  } finally {
    await store.close();
  }
}

/** A store with all that a store can have, in a data directory. */
async function fillStore(folder: string): Promise<void> {
  const store = owned(await openSqliteStore(join(folder, "breakglass.db")));
  const ended = turnStart({
    requestId: "9f4f6f0e-2d8e-4b7e-8a52-4d1f0f3a1b0c",
    prompt: "zero \0 ☃",
  });
  await store.createTurn(ended);
  const events = Array.from({ length: 700 }, (_, n) => new Uint8Array(3000).fill(n));
  await store.append({ turnId: ended.turnId, firstSequence: 1, events, time: 5, end: SUCCEEDED });
  const big = [new Uint8Array(3_000_000).fill(7), new Uint8Array(0)];
  const left = turnStart({ principal: "bob" });
  const { session } = await store.createTurn(left);
  await store.append({
    ...{ turnId: left.turnId, firstSequence: 1, events: big, time: 6 },
    agentSessionId: "an id with \0 in it",
    notifications: [{ kind: "approval.requested", sequence: 1 }],
  });
  await store.recordProcess({ processId: "p1", sessionKey: session.sessionKey, workspace: "/w" });
  const grantee = { kind: "principal", name: "carol" } as const;
  await store.shareSession(
    session.sessionKey,
    { grantee, access: "operate", createTime: 8 },
    10,
    store.lease.epoch,
  );
  const { sessionKey } = session;
  const generation = { sessionKey, file: "a file", generation: 1 };
  await store.recordSegment({ ...generation, start: 0, bytes: new Uint8Array([0, 1, 255]) });
  await store.recordTranscript({
    ...{ sessionKey, conversationId: "c", refusal: "", time: 3 },
    files: [{ name: "a file", generation: 1, bytes: 3, crc32: 7 }],
  });
  await store.recordSnapshot(sessionKey, { key: "a/key", time: 4 }, store.lease.epoch);
  const gone = turnStart();
  await store.createTurn(gone);
  await store.append({ turnId: gone.turnId, firstSequence: 1, events, time: 5, end: SUCCEEDED });
  await store.deleteNamed(gone.newSession.sessionId, "alice", 9);
  const entries = Array.from({ length: 300 }, (_, n) => {
    return { kind: "server_started", facts: { n } } as const;
  });
  await store.recordAudit(entries, store.lease.epoch);
  await store.close();
}

describe.skipIf(cluster === undefined)(`store copy${without(cluster)}`, () => {
  it(
    "there and back has every row as it was, and says what was compared",
    async () => {
      await using database = await makeDatabase(cluster!, true);
      await using folder = await makeFolder();
      const path = join(folder.path, "breakglass.db");
      await fillStore(folder.path);
      const before = rowsOf(path);
      const there = await copy(folder.path, database.url);
      expect(there).toMatchObject({ status: 0 });
      expect(there.stdout).toMatch(/^equal: events: 1402 rows, \d+ bytes/m);
      expect(there.stdout).toMatch(/^right: the audit of [-0-9a-f]{36}, to record 300, hash /m);
      expect(rowsOf(path)).toEqual(before);

      const again = await copy(folder.path, database.url);
      expect(again).toMatchObject({ status: 1, stdout: "" });
      expect(again.stderr).toMatch(/TO: it is not empty: a server has used it/);

      const full = await copy(database.url, folder.path);
      expect(full.stderr).toMatch(/TO: there is a store already/);
      await rename(path, join(folder.path, "before"));
      const back = await copy(database.url, folder.path);
      expect(back).toMatchObject({ status: 0 });
      expect(rowsOf(path)).toEqual(withoutZeros(before));
      expect(await foundIn(path, "☃")).toEqual(await foundIn(join(folder.path, "before"), "☃"));
    },
    PATIENCE_MS,
  );

  it(
    "has real turns go on, on the same disk, on either side",
    async () => {
      await using database = await makeDatabase(cluster!, true);
      await using environment = await createTestEnvironment();
      const data = join(environment.root, "data");
      const onFile = environment.variables;
      const onDatabase = { ...onFile, BREAKGLASS_STORE: database.url };
      const run = async (url: string, prompt: string, sessionId = "") => {
        using connection = connect(url);
        return await collect(connection.client.runTurn({ prompt, sessionId }));
      };
      const attach = async (url: string, turnId: string) => {
        using connection = connect(url);
        return bytesOf(durable(await collect(connection.client.attachTurn({ turnId }))));
      };
      const first = await startServeProcess(onFile);
      const one = await run(first.url, script("many 50", "big 500000", "say done"));
      const { sessionId, turnId } = one[0]!;
      // A server that was killed leaves its newest records beside the file.
      await first.end("SIGKILL");
      expect((await copy(data, database.url)).status).toBe(0);

      const second = await startServeProcess(onDatabase);
      expect(await attach(second.url, turnId)).toEqual(bytesOf(durable(one)));
      const two = await run(second.url, "say on the database", sessionId);
      expect(valuesOf(two, "session")[0]?.resumed).toBe(true);
      expect(two.at(-1)?.kind.case).toBe("result");
      const used = await copy(database.url, join(environment.root, "elsewhere"));
      expect(used.stderr).toMatch(/FROM: a server uses it, by the name [-0-9a-f]{36}: /);
      await second.end("SIGTERM");

      await rename(join(data, "breakglass.db"), join(data, "before.db"));
      expect((await copy(database.url, data)).status).toBe(0);
      await using third = await startServeProcess(onFile);
      const three = await run(third.url, "say on the file", sessionId);
      expect(valuesOf(three, "session")[0]?.resumed).toBe(true);
      for (const turn of [one, two, three]) {
        expect(await attach(third.url, turn[0]!.turnId)).toEqual(bytesOf(durable(turn)));
      }
      using connection = connect(third.url);
      const { turns } = await connection.client.listTurns({ sessionId });
      expect(turns.map(({ state }) => state)).toEqual(Array(3).fill(TurnState.SUCCEEDED));
      const audit = await runCommand(["audit", "verify", "--url", third.url]);
      expect(audit.stdout).toMatch(/^right: records 1 to \d+/);
    },
    PATIENCE_MS,
  );

  it.each([1, 4, 9])(
    "takes a store of the schema %i, once it is brought forward",
    async (version) => {
      await using database = await makeDatabase(cluster!, true);
      await using folder = await makeFolder();
      const path = join(folder.path, "breakglass.db");
      const dump = new URL(`../store/stores/version-${version}.sql`, import.meta.url);
      using older = new DatabaseSync(path);
      older.exec(await readFile(fileURLToPath(dump), "utf8"));
      older.close();
      const refused = await copy(folder.path, database.url);
      expect(refused.stderr).toMatch(/FROM: its schema is version \d, .* breakglass store migrate/);
      await (await openSqliteStore(path)).close();
      const before = rowsOf(path);
      expect(await copy(folder.path, database.url)).toMatchObject({ status: 0 });
      await rename(path, join(folder.path, "before"));
      expect(await copy(database.url, folder.path)).toMatchObject({ status: 0 });
      expect(rowsOf(path)).toEqual(before);
    },
    PATIENCE_MS,
  );

  it("refuses a file that a server has open, and keeps servers out of what is copied", async () => {
    await using database = await makeDatabase(cluster!, true);
    await using folder = await makeFolder();
    await fillStore(folder.path);
    const store = await openSqliteStore(join(folder.path, "breakglass.db"));
    const held = await copy(folder.path, database.url);
    expect(held).toMatchObject({ status: 1, stdout: "" });
    expect(held.stderr).toMatch(/FROM: another server uses it/);
    await store.close();
  });

  it.each(["copying events", "comparing turns"])(
    "that is killed while %s leaves what no server uses, and is done anew",
    async (moment) => {
      await using database = await makeDatabase(cluster!, true);
      await using folder = await makeFolder();
      await fillStore(folder.path);
      const killedAt = async (from: string, to: string) => {
        const command = startCommand(["store", "copy", from, to], {
          environment: { HOME: tmpdir() },
        });
        await command.printed("stderr", moment);
        command.process.kill("SIGKILL");
        expect((await command.ended).status).toBeNull();
      };
      await killedAt(folder.path, database.url);
      await expect(openPostgres([database.host], silent)).rejects.toThrow(
        /^a copy into it is under way or was interrupted: breakglass store copy/,
      );
      // A server of a version that does not know of copies.
      const lease = "INSERT INTO replicas (replica_id) VALUES ('one')";
      await expect(database.query(lease)).rejects.toThrow(
        /a copy into the database is not finished/,
      );
      const from = await copy(database.url, join(folder.path, "other"));
      expect(from.stderr).toMatch(/FROM: a copy into it is under way or was interrupted/);
      expect(await copy(folder.path, database.url)).toMatchObject({ status: 0 });

      const back = join(folder.path, "back");
      await killedAt(database.url, back);
      await expect(readFile(join(back, "breakglass.db"))).rejects.toThrow(/ENOENT/);
      expect(await copy(database.url, back)).toMatchObject({ status: 0 });
      const opened = await openPostgres([database.host], silent);
      await (await opened.openStore("one")).close();
      await opened.close();
    },
  );

  it("has no server begin on a database while that is copied from", async () => {
    await using database = await makeDatabase(cluster!, true);
    await using folder = await makeFolder();
    await fillStore(folder.path);
    expect(await copy(folder.path, database.url)).toMatchObject({ status: 0 });
    const command = startCommand(["store", "copy", database.url, join(folder.path, "back")], {
      environment: { HOME: tmpdir() },
    });
    await command.printed("stderr", "copying sessions");
    command.process.kill("SIGSTOP");
    const lease = "SET lock_timeout = '300ms'; INSERT INTO replicas (replica_id) VALUES ('one')";
    await expect(database.query(lease)).rejects.toThrow(/lock timeout/);
    command.process.kill("SIGCONT");
    expect((await command.ended).status).toBe(0);
  });

  it.each<[string, string, RegExp]>([
    [
      "an event",
      "UPDATE events SET event = event || '\\x00' WHERE sequence = 699",
      /row 699 of events \(turn_id [-0-9a-f]{36}, sequence 699\) differs in event$/m,
    ],
    [
      "a number",
      "UPDATE turns SET create_time = create_time + 1 WHERE turn_key = 2",
      /row 2 of turns \(turn_key 2\) differs in create_time$/m,
    ],
    [
      "a text",
      "UPDATE turns SET agent = 'another' WHERE turn_key = 3",
      /row 3 of turns \(turn_key 3\) differs in agent$/m,
    ],
    [
      "a row too few",
      "DELETE FROM audit WHERE sequence = 300",
      /row 300 of audit \(owner .*, sequence 300\) is in one alone$/m,
    ],
    [
      "a row too many",
      "INSERT INTO days VALUES ('zoe', 1, 0, 0)",
      /row \d+ of days \(principal zoe, day 1\) is in one alone$/m,
    ],
    ["a counter", "UPDATE newest_change SET cursor = 999", /change is 999 there, and \d+ in the/],
  ])("leaves a copy that differs in %s unfinished, and says where", async (_what, sql, line) => {
    await using database = await makeDatabase(cluster!, true);
    await using folder = await makeFolder();
    await fillStore(folder.path);
    const command = startCommand(["store", "copy", folder.path, database.url], {
      environment: { HOME: tmpdir() },
    });
    await command.printed("stderr", "comparing sessions");
    command.process.kill("SIGSTOP");
    await database.query(sql);
    command.process.kill("SIGCONT");
    const { status, stderr } = await command.ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(line);
    await expect(openPostgres([database.host], silent)).rejects.toThrow(/^a copy into it/);
  });

  it("says where the source's audit is wrong, and copies it as it is", async () => {
    await using database = await makeDatabase(cluster!, true);
    await using folder = await makeFolder();
    await fillStore(folder.path);
    using file = new DatabaseSync(join(folder.path, "breakglass.db"));
    file.exec(
      "UPDATE audit SET line = replace(line, '\"n\":16}', '\"n\":17}') WHERE line LIKE '%\"n\":16}%'",
    );
    file.close();
    const { status, stdout } = await copy(folder.path, database.url);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^wrong, as in the source: the audit of [-0-9a-f]{36}: record 17: /m);
    expect(stdout).toMatch(/^complete: /m);
  });

  it("keeps sessions at home on disks whose names the file's folder does not have", async () => {
    await using database = await makeDatabase(cluster!);
    await using folder = await makeFolder();
    const opened = await openPostgres([database.host], silent);
    const store = owned(await opened.openStore("11111111-1111-7111-8111-111111111111"));
    const start = turnStart();
    await store.createTurn(start);
    await store.close();
    await opened.close();
    expect(await copy(database.url, folder.path)).toMatchObject({ status: 0 });
    const file = owned(await openSqliteStore(join(folder.path, "breakglass.db")));
    const more = turnStart({ sentSessionId: start.newSession.sessionId });
    await expect(file.createTurn(more)).rejects.toMatchObject({ reason: "SESSION_ELSEWHERE" });
    await file.close();
  });
});

describe.skipIf(cluster === undefined)(`store migrate${without(cluster)}`, () => {
  it("says what a database is to become, and makes it", async () => {
    await using database = await makeDatabase(cluster!, true);
    const migrate = (...more: string[]) =>
      runCommand(["store", "migrate", ...more], {
        environment: { HOME: tmpdir(), BREAKGLASS_STORE: database.url },
      });
    const tables = () => database.query("SELECT relname FROM pg_stat_user_tables");
    const dry = await migrate("--dry-run");
    expect(dry.status).toBe(0);
    expect(dry.stdout).toMatch(/^schema: none yet; it is to be version \d+$/m);
    expect(dry.stdout).toMatch(/^step 1: makes replicas, writers, sessions, turns, /m);
    expect(dry.stdout).not.toContain(new URL(database.url).password);
    expect(await tables()).toEqual([]);
    await database.query("CREATE TABLE customers (name text)");
    const foreign = await migrate();
    expect(foreign.status).toBe(1);
    expect(foreign.stdout).toMatch(/^in the way: it is the database of another program$/m);
    await database.query("DROP TABLE customers");
    expect((await migrate()).stdout).toMatch(/^done: the schema is version \d+$/m);
    expect((await migrate("--dry-run")).stdout).toMatch(/^nothing is to be done$/m);
  });
});

/** PostgreSQL has no zero in a text. */
function withoutZeros(rows: Record<string, unknown[]>): unknown {
  const text = JSON.stringify(rows);
  return JSON.parse(text.replaceAll("an id with \\\\u0000", "an id with \ufffd"));
}
