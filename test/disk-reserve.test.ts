import { execFileSync } from "node:child_process";
import { existsSync, statfsSync, statSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DiskReserve } from "../src/disk-reserve.ts";
import { createLog } from "../src/log.ts";
import { makeSmallDisk, mayMount } from "./fault/small-disk.ts";
import { collect } from "./support/events.ts";
import { eventually } from "./support/processes.ts";
import { connect } from "./support/protocols.ts";
import { refusalOf } from "./support/refusals.ts";
import { startTestServer } from "./support/test-server.ts";

const MIB = 1024 * 1024;

/** Of `/readyz`. */
interface Check {
  readonly name: string;
  readonly warning?: string;
}

function told() {
  const lines: string[] = [];
  return { lines, log: createLog((line) => void lines.push(JSON.parse(line).message)) };
}

describe("the reserve", () => {
  it("is a file of its size, and stays while there is room", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "reserve-"));
    const { lines, log } = told();
    const reserve = new DiskReserve(folder.path, 3 * MIB + 5, log);
    await reserve.keep();
    const { size, blocks } = statSync(join(folder.path, "reserve"));
    expect(size).toBe(3 * MIB + 5);
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    expect(await reserve.release()).toBe(false);
    expect(existsSync(join(folder.path, "reserve"))).toBe(true);
    expect(lines).toEqual([]);
    await new DiskReserve(folder.path, 0, log).keep();
    expect(existsSync(join(folder.path, "reserve"))).toBe(false);
  });

  it("is not made where it would fill the disk itself", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "reserve-"));
    const { bavail, bsize } = statfsSync(folder.path);
    const { lines, log } = told();
    const reserve = new DiskReserve(folder.path, bavail * bsize, log);
    await reserve.keep();
    expect(existsSync(join(folder.path, "reserve"))).toBe(false);
    expect(lines).toEqual(["there is no room on the disk for a reserve"]);
    expect(await reserve.release()).toBe(false);
  });

  const root = execFileSync("mktemp", ["-d"], { encoding: "utf8" }).trim();
  const why = mayMount(root) ? "" : " (left out: no right to mount a small disk; it takes root)";
  it.skipIf(why !== "")(
    `lets a turn begin on a full disk, once, and the log tells it${why}`,
    async () => {
      using disk = makeSmallDisk("tmpfs", root);
      await using server = await startTestServer({
        ...{ BREAKGLASS_DATA_DIR: disk.dataDir, ANTHROPIC_API_KEY: "made up" },
        BREAKGLASS_RESERVE_BYTES: String(MIB),
      });
      using connection = connect(server.url);
      const { client } = connection;
      await eventually(
        () => existsSync(join(disk.dataDir, "reserve")),
        (isThere) => isThere,
      );
      const readyNow = () =>
        eventually(
          async () => {
            const answer = await fetch(`${server.url}/readyz`);
            return { status: answer.status, checks: (await answer.json()).checks as Check[] };
          },
          // What was well is asked about anew after some seconds.
          ({ checks }) => checks.some(({ name, warning }) => name === "disk" && warning),
        );
      disk.fill();
      const full = await readyNow();
      expect(full.status).toBe(200);
      expect(full.checks.find(({ name }) => name === "disk")?.warning).toContain(
        "has room for 0 MiB",
      );
      expect(existsSync(join(disk.dataDir, "reserve"))).toBe(true);
      const prompt = `say it is the logs ${"x".repeat(100_000)}`;
      const events = await collect(client.runTurn({ prompt }));
      expect(events.at(-1)?.kind.case).toBe("result");
      expect(server.log.join()).toContain("the reserve was given up");
      expect(server.log.join()).toContain("the store takes no writes");
      expect(server.log.join()).toContain("the store takes writes again");
      expect(existsSync(join(disk.dataDir, "reserve"))).toBe(false);
      expect((await readyNow()).status).toBe(200);
      disk.fill();
      expect(await refusalOf(client.runTurn({ prompt }))).toMatchObject({ reason: "STORAGE" });
      const lost = await eventually(
        () => fetch(`${server.url}/readyz`),
        ({ status }) => status === 503,
      );
      expect(lost.status).toBe(503);
      disk.clear();
    },
  );
});
