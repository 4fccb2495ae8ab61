import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { prepare } from "../../src/store/sqlite/schema.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { owned } from "../support/owned-store.ts";
import { NODE_FLAGS } from "../support/program.ts";
import { readSyncOrder, traceOptions, whyNotTraced } from "../support/sync-order.ts";

const run = promisify(execFile);
const APPENDING = fileURLToPath(new URL("appending.ts", import.meta.url));

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  path = join(folder, "breakglass.db");
});
afterEach(() => rm(folder, { recursive: true }));

describe("the connection", () => {
  it("waits for the disk at each commit, and is the only one", () => {
    const database = new DatabaseSync(path);
    prepare(database);
    const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0];
    const FULL = 2;
    expect(pragma("synchronous")).toBe(FULL);
    expect(pragma("journal_mode")).toBe("wal");
    expect(pragma("locking_mode")).toBe("exclusive");
    expect(pragma("foreign_keys")).toBe(1);
    database.close();
  });

  it("takes nothing for a session that is not there", async () => {
    const store = owned(await openSqliteStore(path));
    const claimed = store.claimConversation("no session's key", randomUUID());
    await expect(claimed).rejects.toMatchObject({
      reason: "STORAGE",
      message: expect.stringContaining("FOREIGN KEY"),
    });
    await store.close();
  });
});

// What no kill shows: the page cache survives one.
it.skipIf(whyNotTraced() !== undefined)(
  "an append is answered once the kernel has it on disk",
  async () => {
    const trace = join(folder, "trace");
    const traced = [...traceOptions(trace), process.execPath, ...NODE_FLAGS, APPENDING, path];
    const { stdout } = await run("strace", traced);
    const lines = (await readFile(trace, "latin1")).split("\n");
    const texts = (data: string) => data.match(/<event \d+>/g) ?? [];
    const { sent, early } = readSyncOrder(lines, texts, (target) => target.startsWith("1<"));
    expect([...early]).toEqual([]);
    expect([...sent]).toEqual(texts(stdout));
    expect(sent.size).toBe(20);
  },
);
