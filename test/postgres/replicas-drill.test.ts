import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findPostgres } from "../../src/replicas/local-postgres.ts";
import { runCommand, startCommand } from "../commands/run-command.ts";

const isMissing = await findPostgres().then(
  () => false,
  () => true,
);
const lack = isMissing ? " (left out: no PostgreSQL here; apt-get install postgresql)" : "";

/** What a drill may leave behind is in a directory of the test's own. */
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  // PostgreSQL has another user where the tests are root's.
  await chmod(directory, 0o755);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const environment = () => ({ PATH: process.env.PATH ?? "", TMPDIR: directory });

/** The files, and the processes that know of the directory. */
async function left(): Promise<string[]> {
  const found = (await readdir(directory)).filter((name) => name.startsWith("breakglass-"));
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const [command, variables] = await Promise.all(
      ["cmdline", "environ"].map((file) =>
        readFile(`/proc/${pid}/${file}`, "latin1").catch(() => ""),
      ),
    );
    if (Number(pid) !== process.pid && `${command}${variables}`.includes(directory))
      found.push(`${pid} ${command}`);
  }
  return found;
}

describe.skipIf(isMissing)(`drill --replicas${lack}`, () => {
  it("loses a server in the middle of a repair, goes on at another with the real agent's memory, and loses nothing", async () => {
    const { status, stdout, stderr } = await runCommand(["drill", "--replicas", "3"], {
      environment: environment(),
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^— Replica [123] is killed \(SIGKILL\)/m);
    expect(stdout).toMatch(/^Ended by SERVER_RESTARTED/m);
    expect(stdout).toMatch(/^! SESSION_MOVED .* goes on with its conversation$/m);
    expect(stdout).toMatch(/^It was the gateway [0-9a-f-]{36}\./m);
    expect(stdout).toMatch(/^ {2}\| port = 8080$/m);
    expect(stdout).toMatch(/^— Lost: nothing\. \d+ events were seen in 3 turns\./m);
    expect(stdout).toContain("The drill succeeded.");
    expect(await left()).toEqual([]);
  }, 300_000);

  it("leaves nothing behind where Ctrl-C ends it while a server is down", async () => {
    const command = startCommand(["drill", "--replicas", "2"], { environment: environment() });
    await command.printed("stdout", "is killed");
    command.process.kill("SIGINT");
    const { status, stdout } = await command.ended;
    expect(status).toBe(130);
    expect(stdout).not.toContain("Ended by");
    expect(await left()).toEqual([]);
  }, 300_000);
});

describe("drill --replicas", () => {
  it.each(["1", "10", "three"])("refuses %s of them", async (count) => {
    const { status, stderr } = await runCommand(["drill", "--replicas", count]);
    expect(status).toBe(2);
    expect(stderr).toContain("It takes a whole number from 2 to 9.");
  });

  it("says in a line where there is no PostgreSQL", async () => {
    await expect(findPostgres(join(directory, "nothing"), directory)).rejects.toThrow(
      /^several replicas take PostgreSQL 15 or newer, and there is none here: apt-get install postgresql$/,
    );
  });
});
