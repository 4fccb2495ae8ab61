import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
/** One that stays in front of the program that it was given, and one that becomes it. */
const SHELLS = ["/bin/dash", "/bin/bash"].filter(existsSync);

const SLOW_DRAIN = { BREAKGLASS_DRAIN_SECONDS: "600" };

/** `npm start`, in a process group of its own as a terminal gives it one. */
async function npmStart(shell: string, { variables }: TestEnvironment) {
  const child = spawn("npm", ["start"], {
    cwd: REPOSITORY,
    env: { ...variables, npm_config_script_shell: shell },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece) => (output += piece));
  const exited = once(child, "exit");
  const url = await eventually(
    () => /breakglass serves (http\S+)/.exec(output)?.[1],
    (found) => found !== undefined,
    20_000,
  );
  if (url === undefined) throw new Error(`npm start did not come up: ${output}`);
  const group = (signal: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, signal);
    } catch {
      // Nobody is left in it.
    }
  };
  return {
    url,
    exited,
    npm: (signal: NodeJS.Signals) => child.kill(signal),
    group,
    output: () => output,
    async [Symbol.asyncDispose]() {
      group("SIGKILL");
      await exited;
    },
  };
}

describe.concurrent.each(SHELLS)("npm start with the shell %s", (shell) => {
  it.each([
    ["SIGTERM to npm, as systemd sends it", "npm", "SIGTERM", [0, null]],
    ["SIGTERM to npm and the server", "group", "SIGTERM", [0, null]],
    ["Ctrl-C, which npm and the server get", "group", "SIGINT", expect.anything()],
  ] as const)("drains once by %s", async (_what, to, signal, status) => {
    await using environment = await createTestEnvironment(SLOW_DRAIN);
    await using server = await npmStart(shell, environment);
    using connection = connect(server.url);
    const gate = createGate(environment.root);
    await using reader = new EventReader(
      connection.client.runTurn({ prompt: script(gate.step, "say done") }),
    );
    await reader.until("session");
    server[to](signal);
    await eventually(server.output, (output) => output.includes('"draining"'));
    // npm's own comes in between, where it does.
    await eventually(server.output, (output) => output.includes("the one before it"), 300);
    gate.open();
    expect((await reader.until("result")).kind.case).toBe("result");
    expect(await server.exited).toEqual(status);
  });
});

describe.concurrent("a signal that ends a server", () => {
  it("ends it at once where it is sent again after a second", async () => {
    await using environment = await createTestEnvironment(SLOW_DRAIN);
    await using server = await npmStart(SHELLS.at(-1)!, environment);
    using connection = connect(server.url);
    await using reader = new EventReader(connection.client.runTurn({ prompt: "hang" }));
    await reader.until("session");
    server.npm("SIGTERM");
    server.npm("SIGTERM");
    await eventually(server.output, (output) => output.includes("the one before it"), 1000);
    await eventually(server.output, (output) => output.includes('"draining"'));
    await delay(1100);
    // Once: npm itself would die by one that comes behind the server's end.
    server.npm("SIGTERM");
    expect(await server.exited).toEqual([1, null]);
    await expect(reader.rest()).rejects.toThrow();
  });
});
