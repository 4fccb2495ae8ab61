import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { openSqliteFile, openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";
import type { StoreUnderTest } from "./contract/store-under-test.ts";
import { describeStore } from "./store-contract.ts";

async function open(): Promise<StoreUnderTest & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  const path = join(folder, "breakglass.db");
  let now = 0;
  const openFile = () => openSqliteFile(path, () => now);
  let file = await openFile();
  let store = await file.openStore();
  return {
    path,
    get store() {
      return { ...store, close: () => file.close() };
    },
    async reopen() {
      await file.close();
      file = await openFile();
      store = await file.openStore();
      return store;
    },
    openFor: (owner, terms, address) => file.openStore(owner, terms, address),
    passLeases(ms) {
      now += ms;
    },
    async [Symbol.asyncDispose]() {
      await file.close();
      await rm(folder, { recursive: true });
    },
  };
}

describe("the store in an SQLite file", () => {
  describeStore(open);

  it("removes a turn in smaller pieces where its events lie between others'", async () => {
    await using opened = await open();
    const store = owned(opened.store);
    const [scattered, other] = [turnStart(), turnStart()];
    for (const start of [scattered, other]) await store.createTurn(start);
    const none = new Uint8Array(1);
    const appended = Array.from({ length: 600 }, (_, n) => [
      store.append({ turnId: scattered.turnId, firstSequence: n + 1, events: [none], time: 1 }),
      store.append({
        ...{ turnId: other.turnId, firstSequence: 20 * n + 1, time: 1 },
        events: Array.from({ length: 20 }, () => none),
      }),
    ]);
    await Promise.all(appended.flat());
    const { turnId } = scattered;
    const end = { turnId, firstSequence: 601, events: [none], time: 2, end: SUCCEEDED };
    await store.append(end);
    await store.removeEndedTurns(100, 1, 100);
    let pieces = 1;
    while (await store.removeSome()) pieces++;
    expect(pieces).toBeGreaterThan(5);
    expect(await store.readEvents(other.turnId, 0, 1_000_000)).toHaveLength(12_000);
  });

  it("is the only one on its file", async () => {
    await using opened = await open();
    await expect(openSqliteStore(opened.path)).rejects.toThrow(/: another server uses it/);
    await opened.reopen();
  });

  it("leaves a file alone that it does not know", async () => {
    await using opened = await open();
    await opened.store.close();
    const database = new DatabaseSync(opened.path);
    database.exec("PRAGMA user_version = 99");
    database.close();
    await expect(openSqliteStore(opened.path)).rejects.toThrow(/run a newer server/);

    const other = `${opened.path}.txt`;
    await writeFile(other, "no database, but something of the operator's\n".repeat(100));
    const before = await readFile(other);
    await expect(openSqliteStore(other)).rejects.toThrow(/not a database/);
    expect(await readFile(other)).toEqual(before);
  });

  it("says where it cannot be", async () => {
    await expect(openSqliteStore("/nowhere/at/all.db")).rejects.toThrow(
      /^cannot open the store \/nowhere\/at\/all\.db: it cannot be opened/,
    );
  });
});
