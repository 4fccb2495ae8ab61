import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AuditEntry } from "../../src/audit/entry.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { type OwnedStore, owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";

const AUDIT: AuditEntry[] = [{ kind: "turn_started" }];
/** What a turn cannot be recorded without. */
const TABLES = ["audit", "sessions", "turns", "events", "turn_changes", "requests"];

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

/** What is done to the file while nobody has it open. */
async function inFile<T>(work: (database: DatabaseSync) => T): Promise<T> {
  await store.close();
  const database = new DatabaseSync(path);
  try {
    return work(database);
  } finally {
    database.close();
    store = owned(await openSqliteStore(path));
  }
}

/** All that is in the file, but for the lease. */
function contents(database: DatabaseSync): string {
  const sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'lease'";
  const names = database.prepare(sql).all();
  const rows = names.map(({ name }) => [name, database.prepare(`SELECT * FROM "${name}"`).all()]);
  return JSON.stringify(rows, (_, value) => (typeof value === "bigint" ? String(value) : value));
}

const ask = (audit = AUDIT) => store.checkWritable(audit, store.lease.epoch);

describe("a store that is asked whether it takes turns", () => {
  it("leaves nothing of what it tries, and goes on as if nothing had been", async () => {
    const before = await inFile(contents);
    for (let n = 0; n < 5; n++) await ask();
    expect(await inFile(contents)).toBe(before);
    const start = turnStart({ audit: AUDIT });
    await store.createTurn(start);
    const { turnId } = start;
    await ask();
    const events = [new Uint8Array(1)];
    await store.append({ turnId, firstSequence: 1, events, time: 1, audit: AUDIT, end: SUCCEEDED });
    await ask();
    const lines = await store.readAudit(store.lease.owner, 0, 1e9);
    expect(lines.map((line) => JSON.parse(line).sequence)).toEqual([1, 2]);
  });

  it.each(TABLES)("does not where %s takes no rows", async (table) => {
    await inFile((database) =>
      database.exec(
        `CREATE TRIGGER refused BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'refused'); END`,
      ),
    );
    await expect(ask()).rejects.toMatchObject({ reason: "STORAGE" });
    await inFile((database) => database.exec("DROP TRIGGER refused"));
    await ask();
  });

  it("does where only an audit takes no rows that is not kept", async () => {
    await inFile((database) =>
      database.exec(
        "CREATE TRIGGER refused BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'refused'); END",
      ),
    );
    await ask([]);
    await expect(ask()).rejects.toMatchObject({ reason: "STORAGE" });
  });
});
