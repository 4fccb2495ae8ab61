import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SCHEMA_VERSION } from "../../src/store/sqlite/schema.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { runCommand } from "./run-command.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  path = join(folder, "breakglass.db");
});
afterEach(() => rm(folder, { recursive: true }));

const migrate = (...more: string[]) =>
  runCommand(["store", "migrate", ...more], {
    environment: { HOME: folder, BREAKGLASS_DATA_DIR: folder },
  });

/** A store as a server of an older schema left it; see `test/store/stores/keep-store.ts`. */
async function makeOlder(version: number): Promise<void> {
  const dump = new URL(`../store/stores/version-${version}.sql`, import.meta.url);
  using database = new DatabaseSync(path);
  database.exec(await readFile(fileURLToPath(dump), "utf8"));
}

/** What is in the folder, to the byte. */
async function seen(): Promise<Record<string, string>> {
  const names = (await readdir(folder)).toSorted();
  const hashed = names.map(async (name) => {
    const hash = createHash("sha256").update(await readFile(join(folder, name)));
    return [name, hash.digest("hex")] as const;
  });
  return Object.fromEntries(await Promise.all(hashed));
}

function versionOf(): number {
  using database = new DatabaseSync(path, { readOnly: true });
  return Number(database.prepare("PRAGMA user_version").get()?.user_version);
}

describe("store migrate", () => {
  it("with --dry-run says which steps would be taken, and changes nothing; without it takes them", async () => {
    await makeOlder(9);
    const before = await seen();
    const dry = await migrate("--dry-run");
    expect(dry).toMatchObject({ status: 0, stderr: "" });
    const lines = dry.stdout.trimEnd().split("\n");
    expect(lines[0]).toBe(`store: ${path}`);
    expect(lines[1]).toBe(`schema: version 9; it is to be version ${SCHEMA_VERSION}`);
    const steps = lines.slice(2, -1);
    expect(steps).toHaveLength(SCHEMA_VERSION - 9);
    expect(steps).toContain("step 10: makes days");
    expect(steps).toContainEqual(expect.stringMatching(/: makes audit_chains; makes anew audit$/));
    expect(lines.at(-1)).toMatch(/^nothing stands in the way: /);
    expect(await seen()).toEqual(before);

    const done = await migrate();
    expect(done).toMatchObject({ status: 0, stderr: "" });
    expect(done.stdout).toContain(`done: the schema is version ${SCHEMA_VERSION}\n`);
    expect(versionOf()).toBe(SCHEMA_VERSION);
    const again = await migrate("--dry-run");
    expect(again.stdout).toContain("nothing is to be done\n");
  });

  it("says what becomes of a store that is not there, and makes none with --dry-run", async () => {
    const dry = await migrate("--dry-run");
    expect(dry.status).toBe(0);
    expect(dry.stdout).toContain(`schema: none yet; it is to be version ${SCHEMA_VERSION}\n`);
    expect(await readdir(folder)).toEqual([]);
    expect((await migrate()).status).toBe(0);
    expect(versionOf()).toBe(SCHEMA_VERSION);
  });

  it("names what stands in the way: a newer schema, another program's file, a server that has it", async () => {
    const inTheWay = async (line: RegExp) => {
      const before = existsSync(`${path}-wal`) ? undefined : await seen();
      for (const more of [[], ["--dry-run"]]) {
        const { status, stdout } = await migrate(...more);
        expect(status).toBe(1);
        expect(stdout).toMatch(line);
      }
      if (before !== undefined) expect(await seen()).toEqual(before);
    };
    await makeOlder(9);
    using newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version = 999");
    newer.close();
    await inTheWay(/^in the way: its schema is version 999, this server knows up to \d+/m);
    await rm(path);
    using foreign = new DatabaseSync(path);
    foreign.exec("CREATE TABLE customers (name TEXT)");
    foreign.close();
    await inTheWay(/^in the way: it is the database of another program$/m);
    await rm(path);
    const store = await openSqliteStore(path);
    await inTheWay(/^in the way: another server uses it/m);
    await store.close();
  });

  it("is not done by who typed --dry-run where npm took that for itself", async () => {
    const { status, stderr } = await runCommand(["store", "migrate"], {
      environment: {
        ...{ HOME: folder, BREAKGLASS_DATA_DIR: folder, BREAKGLASS_COMMAND: "" },
        ...{ npm_lifecycle_event: "breakglass", npm_config_dry_run: "true" },
      },
    });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^breakglass: npm took --dry-run for itself: .*-- store migrate …/);
    expect(existsSync(path)).toBe(false);
  });
});

describe("store copy", () => {
  it.each([
    [["/a", "/b"], 1, /one of the two has to be a file or a folder/],
    [["/nowhere/at/all", "postgres://nobody@127.0.0.1:1/db"], 1, /FROM: there is no store/],
    [["postgres://nobody@127.0.0.1:1/db", "HERE"], 1, /FROM: .*ECONNREFUSED/],
    [["mysql://a/b", "HERE"], 2, /FROM: it takes a file, a folder, or postgres:/],
  ])("%j is refused in one line", async (places, status, line) => {
    const args = places.map((place) => (place === "HERE" ? folder : place));
    const ended = await runCommand(["store", "copy", ...args], { environment: { HOME: folder } });
    expect(ended).toMatchObject({ status, stdout: "" });
    expect(ended.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(ended.stderr).toMatch(line);
    expect(await readdir(folder)).toEqual([]);
  });
});
