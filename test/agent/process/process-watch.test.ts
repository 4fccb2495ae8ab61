import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { hasProcessTable } from "../../../src/agent/process/process-table.ts";
import { PROCESS_ID_VARIABLE } from "../../../src/config/environment.ts";

const MODULE = new URL("../../../src/agent/process/process-watch.ts", import.meta.url);

/** What a program prints that has two families looked for at once, one of them its own. */
async function lookedFor(...flags: string[]): Promise<Record<string, unknown>> {
  const processId = randomUUID();
  const program = `import("${MODULE.href}").then(async ({ ProcessWatch }) => {
    const { spawn } = require("node:child_process");
    const env = { ...process.env, ${PROCESS_ID_VARIABLE}: "${processId}" };
    const child = spawn("sleep", ["60"], { env, stdio: "ignore" });
    child.unref();
    const told = [];
    const log = { info() {}, warn() {}, error: (message) => told.push(message) };
    const watch = new ProcessWatch(log);
    const look = (processId, signal) => watch.look({ processId, known: [], cgroup: undefined, signal });
    const [own, other] = await Promise.all([look("${processId}", "SIGKILL"), look("other")]);
    console.log(JSON.stringify({ own: own.map(([found]) => found === child.pid), other, told }));
  })`;
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, "--eval", program]);
  return JSON.parse(stdout);
}

describe.runIf(hasProcessTable)("looks at the process table", () => {
  it("find a family's members, and keep the process alive until they have", async () => {
    expect(await lookedFor()).toEqual({ own: [true], other: [], told: [] });
  });

  it("are taken where no thread is to be had, too, which is told once", async () => {
    const noThread = ["--permission", "--allow-fs-read=*", "--allow-child-process"];
    expect(await lookedFor(...noThread)).toEqual({
      own: [true],
      other: [],
      told: ["the thread that watches processes failed"],
    });
  });
});
