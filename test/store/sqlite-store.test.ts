import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { describeStore, type StoreUnderTest } from "./store-contract.ts";

async function open(): Promise<StoreUnderTest & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  const path = join(folder, "breakglass.db");
  let store = await openSqliteStore(path);
  return {
    path,
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await openSqliteStore(path);
      return store;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

describe("the store in an SQLite file", () => {
  describeStore(open);

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
