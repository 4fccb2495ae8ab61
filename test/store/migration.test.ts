import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { SCHEMA_VERSION } from "../../src/store/sqlite/schema.ts";
import { SqliteStore } from "../../src/store/sqlite/sqlite-store.ts";

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

describe("a store of schema version 1", () => {
  it("is brought forward with every turn and event as it was, to the byte", async () => {
    await using kept = await older(1);
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
    expect(await store.listRemovals()).toEqual([]);
    expect((await store.listLeftTurns()).some(({ running }) => running)).toBe(true);
    await store.close();
    const database = new DatabaseSync(kept.path);
    expect(database.prepare("PRAGMA user_version").get()?.user_version).toBe(SCHEMA_VERSION);
    expect(database.prepare("PRAGMA integrity_check").get()?.integrity_check).toBe("ok");
    database.close();
  });

  it("takes what is new in the schema", async () => {
    await using kept = await older(1);
    const store = await SqliteStore.open(kept.path);
    const { sessions } = await store.removeEndedTurns(Date.UTC(2100, 0), 100, Date.UTC(2026, 11));
    // Alice's session has a running turn; the turns of the others are not known to have left no process.
    expect(sessions).toEqual([]);
    const [first] = kept.turns;
    await expect(store.getTurn(first!.turnId, first!.principal)).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
    await store.close();
  });

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
