import { randomUUIDv7 } from "node:crypto";
import pg from "pg";
import { describe, expect, inject, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { refusalOf } from "../../src/store/postgres/database-checks.ts";
import {
  dropPartitions,
  listPartitions,
  makePartitions,
} from "../../src/store/postgres/event-partitions.ts";
import { migrate } from "../../src/store/postgres/migration.ts";
import { openPostgres } from "../../src/store/postgres/postgres-store.ts";
import { SCHEMA_VERSION } from "../../src/store/postgres/schema.ts";
import { owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";
import { USER } from "./cluster.ts";
import { makeDatabase, type TestDatabase, without } from "./databases.ts";

const cluster = inject("cluster");
const silent = createLog(() => {});
const DAY_MS = 86_400_000;

async function connected(database: TestDatabase) {
  const client = new pg.Client(database.host);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

async function open(database: TestDatabase, lines: string[] = []) {
  const opened = await openPostgres(
    [database.host],
    createLog((line) => void lines.push(line)),
  );
  return Object.assign(opened, { [Symbol.asyncDispose]: () => opened.close() });
}

describe.skipIf(cluster === undefined)(`a PostgreSQL database${without(cluster)}`, () => {
  it("gets its schema from the first server, by a user that is no superuser, also of several at once", async () => {
    await using database = await makeDatabase(cluster!, true);
    const [user] = await database.query(
      "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
    );
    expect(user).toEqual({ rolsuper: false });
    await using client = await connected(database);
    expect(await migrate(client, true)).toEqual({ from: 0, to: SCHEMA_VERSION });
    expect(await migrate(client, true)).toEqual({ from: 0, to: SCHEMA_VERSION });
    const opened = await Promise.all([open(database), open(database), open(database)]);
    expect(await migrate(client)).toEqual({ from: SCHEMA_VERSION, to: SCHEMA_VERSION });
    for (const one of opened) await one.close();
    expect(await listPartitions(client)).toHaveLength(16);
    const storage = await database.query(
      `SELECT DISTINCT attstorage FROM pg_attribute JOIN pg_inherits ON inhrelid = attrelid WHERE attname = 'event'`,
    );
    expect(storage).toEqual([{ attstorage: "e" }]);
  });

  it.each<[string, string, RegExp]>([
    [
      "of a newer schema",
      "UPDATE schema_version SET version = 99",
      /^its schema is version 99, this server knows up to \d+: run a newer server$/,
    ],
    [
      "that takes no writes",
      `ALTER ROLE ${USER} IN DATABASE %s SET default_transaction_read_only = on`,
      /^it takes no writes/,
    ],
    [
      "that acknowledges what is on no disk",
      "ALTER DATABASE %s SET synchronous_commit = off",
      /^synchronous_commit is off: /,
    ],
  ])("%s is refused in one line", async (_what, sql, message) => {
    await using database = await makeDatabase(cluster!);
    await database.query(sql.replace("%s", database.host.database!));
    await expect(open(database)).rejects.toThrow(message);
  });

  it("of another program is refused, and left as it is", async () => {
    await using database = await makeDatabase(cluster!, true);
    await database.query("CREATE TABLE customers (name text)");
    await expect(open(database)).rejects.toThrow(/^it is the database of another program$/);
    const tables = await database.query("SELECT relname FROM pg_stat_user_tables");
    expect(tables).toEqual([{ relname: "customers" }]);
  });

  it("is refused where it is too old, its clock is off, or its text is not Unicode", () => {
    const facts = {
      ...{ version: 15, is_read_only: false, now: "1000000", synchronous_commit: "on" },
      ...{ standbys: "", fsync: "on", encoding: "UTF8" },
    };
    expect(refusalOf(facts, 1_000_000 + 299_000)).toBeUndefined();
    expect(refusalOf(facts, 1_000_000 + 301_000)).toMatch(/clock is 301 s off/);
    expect(refusalOf(facts, 1_000_000 - 301_000)).toMatch(/clock is -301 s off/);
    expect(refusalOf({ ...facts, version: 14 }, 1_000_000)).toMatch(/^it is PostgreSQL 14/);
    expect(refusalOf({ ...facts, encoding: "SQL_ASCII" }, 1_000_000)).toMatch(/encoding/);
    const local = { ...facts, synchronous_commit: "local" };
    expect(refusalOf(local, 1_000_000)).toBeUndefined();
    expect(refusalOf({ ...local, standbys: "a" }, 1_000_000)).toMatch(
      /^synchronous_commit is local/,
    );
  });

  it("without a synchronous standby is warned of", async () => {
    await using database = await makeDatabase(cluster!);
    const lines: string[] = [];
    await using _opened = await open(database, lines);
    expect(lines.join("")).toContain("has no synchronous standby");
  });

  it("is the first of several hosts that takes writes", async () => {
    await using database = await makeDatabase(cluster!);
    const nobody = { ...database.host, port: 1 };
    const opened = await openPostgres([nobody, database.host], silent);
    const store = owned(await opened.openStore("one"));
    const start = turnStart();
    await store.createTurn(start);
    expect((await store.getTurn(start.turnId, "alice")).turnId).toBe(start.turnId);
    await opened.close();
    await expect(openPostgres([nobody, nobody], silent)).rejects.toThrow(
      /^no host of the database takes writes: /,
    );
  });

  it("has a partition for each day, and drops those of days of which no turn is on record", async () => {
    await using database = await makeDatabase(cluster!);
    await using client = await connected(database);
    const long = Date.now() - 10 * DAY_MS;
    await makePartitions(client, long - 20 * DAY_MS);
    const before = await listPartitions(client);
    expect(before).toHaveLength(32);
    await makePartitions(client, Date.now());
    expect(await listPartitions(client)).toEqual(before);
    const idAt = (time: number) => {
      const digits = time.toString(16).padStart(12, "0");
      return `${digits.slice(0, 8)}-${digits.slice(8)}${randomUUIDv7().slice(13)}`;
    };
    await using opened = await open(database);
    const store = owned(await opened.openStore("one"));
    const old = turnStart({ turnId: idAt(long - 12 * DAY_MS) });
    const { turnId } = old;
    await store.createTurn(old);
    const drop = () => dropPartitions(client, Date.now() - DAY_MS);
    // All but the one of the turn, and those that are not over.
    expect(await drop()).toHaveLength(15);
    await store.append({
      turnId,
      firstSequence: 1,
      events: [new Uint8Array(1)],
      time: 2,
      end: SUCCEEDED,
    });
    expect(await drop()).toEqual([]);
    expect(await store.readEvents(turnId, 0, 100)).toHaveLength(1);
    await store.removeEndedTurns(100, 10, 100);
    expect(await drop()).toHaveLength(1);
    while (await store.removeSome());
    expect(await listPartitions(client)).toHaveLength(16);
  });

  it("says so of a turn that no partition is for", async () => {
    await using database = await makeDatabase(cluster!);
    await using opened = await open(database);
    const store = owned(await opened.openStore("one"));
    const start = turnStart({ turnId: "00000000-0000-7000-8000-000000000000" });
    await store.createTurn(start);
    const append = store.append({ ...start, firstSequence: 1, events: [new Uint8Array(1)] });
    await expect(append).rejects.toMatchObject({
      reason: "STORAGE",
      message: expect.stringMatching(/no partition for the turn's day/),
    });
  });
});
