import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { eventually } from "../support/processes.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

const RECEIVER = fileURLToPath(new URL("../fixtures/datagrams.py", import.meta.url));
const missing = ["systemd-notify", "python3"].filter(
  (program) => spawnSync(program, ["--version"]).error !== undefined,
);
const lack = missing.length === 0 ? "" : ` (left out: no ${missing.join(" and no ")} here)`;

/** Takes what systemd would be told. */
async function startReceiver(path: string) {
  const child = spawn("python3", [RECEIVER, path], { stdio: ["ignore", "pipe", "inherit"] });
  const told: string[] = [];
  const bound = Promise.withResolvers<void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line === "bound") bound.resolve();
    else told.push(JSON.parse(line));
  });
  await bound.promise;
  return { told, [Symbol.dispose]: () => void child.kill() };
}

const times = (told: readonly string[], state: string) =>
  told.filter((one) => one.split("\n").includes(state)).length;

describe.skipIf(missing.length > 0)(`a server that systemd started${lack}`, () => {
  it("says when it is ready, that it lives as long as it does, and when it stops", async () => {
    await using environment = await createTestEnvironment();
    const socket = join(environment.root, "notify");
    using receiver = await startReceiver(socket);
    const variables = {
      ...environment.variables,
      NOTIFY_SOCKET: socket,
      WATCHDOG_USEC: "300000",
    };
    await using server = await startServeProcess(variables);
    await eventually(
      () => times(receiver.told, "WATCHDOG=1"),
      (count) => count >= 3,
    );
    expect(receiver.told[0]).toContain("READY=1");
    expect(times(receiver.told, "READY=1")).toBe(1);
    expect(times(receiver.told, "STOPPING=1")).toBe(0);
    // What hangs says nothing.
    process.kill(server.pid, "SIGSTOP");
    const silence = await quiet(receiver.told);
    process.kill(server.pid, "SIGCONT");
    expect(silence).toBe(true);
    await eventually(
      () => times(receiver.told, "WATCHDOG=1"),
      (count) => count >= 5,
    );
    process.kill(server.pid, "SIGTERM");
    await eventually(
      () => times(receiver.told, "STOPPING=1"),
      (count) => count === 1,
    );
    expect(times(receiver.told, "STOPPING=1")).toBe(1);
  });

  it("serves all the same where it cannot be told, and says so once", async () => {
    await using environment = await createTestEnvironment();
    const socket = join(environment.root, "nobody");
    const log = join(environment.root, "log");
    const variables = {
      ...environment.variables,
      NOTIFY_SOCKET: socket,
      WATCHDOG_USEC: "100000",
    };
    const prefix = ["sh", "-c", `exec "$@" 2>${log}`, "sh"];
    await using server = await startServeProcess(variables, prefix);
    const told = () => readFileSync(log, "utf8").split("systemd cannot be told").length - 1;
    await eventually(told, (count) => count > 0);
    for (let i = 0; i < 5; i++) {
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    }
    expect(told()).toBe(1);
  });
});

/** Whether nothing more is told once what was on its way has come: for several of the intervals. */
async function quiet(told: readonly string[]): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    const before = told.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (told.length === before) return true;
  }
  return false;
}
