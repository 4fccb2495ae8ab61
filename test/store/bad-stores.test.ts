import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { owned } from "../support/owned-store.ts";
import { turnStart } from "../support/turn-start.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  path = join(folder, "breakglass.db");
});
afterEach(() => rm(folder, { recursive: true }));

const TURNS = 40;
const EVENTS = 20;
const EVENT_BYTES = 2000;

/** A store of some turns with events that fill pages of their own. */
async function fill(): Promise<string[]> {
  const store = owned(await openSqliteStore(path));
  const turnIds: string[] = [];
  for (let n = 0; n < TURNS; n++) {
    const turnId = randomUUID();
    await store.createTurn(turnStart({ turnId }));
    const events = Array.from({ length: EVENTS }, () => new Uint8Array(EVENT_BYTES).fill(n + 1));
    await store.append({ turnId, firstSequence: 1, events, time: 1 });
    turnIds.push(turnId);
  }
  await store.close();
  return turnIds;
}

describe("a store that cannot be used", () => {
  it.each<[string, () => Promise<unknown>, RegExp]>([
    ["is a folder", () => mkdir(path), /: it cannot be opened: it takes a file in a folder/],
    ["is a text", () => writeFile(path, "hello\n".repeat(200)), /: it is not a database: another/],
    ["has a damaged beginning", () => spoil(0, 100), /: it is not a database: .*damaged/],
    ["is cut off", () => fill().then(() => truncate(path, 5000)), /: it is damaged: .*\.recover/],
    ["is another program's", foreign, /: it is the database of another program$/],
  ])("%s: one line says so, and nothing is changed", async (_what, make, line) => {
    await make();
    const before = await readFile(path).catch(() => "");
    const opening = openSqliteStore(path);
    await expect(opening).rejects.toThrow(line);
    await expect(opening).rejects.toThrow(/^cannot open the store [^\n]*$/);
    expect(await readFile(path).catch(() => "")).toEqual(before);
  });

  it("is made anew where its file is empty", async () => {
    await writeFile(path, "");
    const store = owned(await openSqliteStore(path));
    expect(await store.listLeftTurns()).toEqual([]);
    await store.close();
  });
});

describe("a store that is damaged in the middle", () => {
  it("serves what can still be read, and says what cannot", async () => {
    const turnIds = await fill();
    const bytes = await readFile(path);
    // One page of the twentieth turn's events.
    const at = bytes.lastIndexOf(Buffer.alloc(200, 20));
    await spoil(at - (at % 4096), 4096);
    const store = owned(await openSqliteStore(path));
    const reads = await Promise.allSettled(
      turnIds.map((turnId) => store.readEvents(turnId, 0, 1_000_000)),
    );
    const failed = reads.filter((read) => read.status === "rejected");
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(TURNS);
    for (const { reason } of failed) {
      expect(reason).toMatchObject({ reason: "STORAGE" });
      expect(reason.message).toMatch(/^the store failed: it is damaged/);
    }
    const whole = reads.filter((read) => read.status === "fulfilled");
    for (const { value } of whole) expect(value).toHaveLength(EVENTS);
    await store.close();
  });
});

async function foreign(): Promise<void> {
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE accounts (name TEXT)");
  database.close();
}

async function spoil(start: number, length: number): Promise<void> {
  const bytes = await readFile(path).catch(async () => {
    await fill();
    return readFile(path);
  });
  bytes.fill(0xa5, start, start + length);
  await writeFile(path, bytes);
}
