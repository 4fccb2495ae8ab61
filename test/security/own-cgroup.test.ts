import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CgroupRoot, cgroupProcesses } from "../../src/agent/process/cgroup.ts";
import { collect, valuesOf } from "../support/events.ts";
import { curl, openClient, runCommand } from "../support/operator.ts";
import { eventually } from "../support/processes.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";

const root = process.getuid?.() === 0 ? CgroupRoot.find() : "it takes root to delegate one";
const why = root instanceof CgroupRoot ? "" : ` (not here: ${root})`;
/** Nobody of this machine is that user, nor in that group. */
const UID = 61_807;

/**
 * Forks twice with a session of its own, goes to the cgroup that the server was given, clears its environment, and runs a
 * command in the background.
 */
const ESCAPE = `import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1] + "/cgroup.procs", "w").write("0")
        os.execve("/bin/sh", ["sh", "-c", sys.argv[2]], {"PATH": "/usr/bin:/bin"})
    os._exit(0)
`;

let folder: string;
let unit: string;
let environment: TestEnvironment;
beforeEach(async () => {
  if (!(root instanceof CgroupRoot)) return;
  folder = await mkdtemp(join(tmpdir(), "breakglass-unit-"));
  await chmod(folder, 0o777);
  await writeFile(join(folder, "escape.py"), ESCAPE);
  unit = join(root.directory, `test-${process.pid}-${Date.now()}.service`);
  mkdirSync(unit);
});
afterEach(async () => {
  if (!(root instanceof CgroupRoot)) return;
  for (const pid of cgroupProcesses(unit)) process.kill(pid, "SIGKILL");
  await eventually(
    () => cgroupProcesses(unit).length,
    (count) => count === 0,
  );
  await environment[Symbol.asyncDispose]();
  await runCommand(`find ${unit} -depth -type d -exec rmdir {} +`);
  await rm(folder, { recursive: true });
});

/** Begins in the unit's cgroup, as its user where one is named. */
function inUnit(uid: number | undefined): string[] {
  const as = uid === undefined ? [] : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`];
  const become = uid === undefined ? [] : [...as, "--clear-groups"];
  return ["sh", "-c", 'echo 0 >"$0/cgroup.procs"; exec "$@"', unit, ...become];
}

/** A server as a unit has it that delegates its cgroup to the user of the service. */
async function startUnit(settings: Readonly<Record<string, string>> = {}): Promise<ServeProcess> {
  for (const name of ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]) {
    await chown(join(unit, name), UID, UID);
  }
  environment = await createTestEnvironment(settings);
  await chown(environment.root, UID, UID);
  return startServeProcess(environment.variables, inUnit(UID));
}

/** Plays steps as an agent, and answers what its commands printed. */
async function asAgent(url: string, steps: string): Promise<string> {
  return runCommand(curlTurn(url, `${steps}\nresult`), UID);
}

function curlTurn(url: string, prompt: string): string {
  const body = JSON.stringify({ prompt }).replaceAll("'", "'\\''");
  return `curl -gsN -m 60 -H 'content-type: application/json' -d '${body}' '${url}/v1/turns'`;
}

const escaping = (command: string) =>
  `bash python3 ${folder}/escape.py ${unit} "${command}" </dev/null >/dev/null 2>&1`;

/** How many processes are in the unit's cgroup itself, beside its server. */
const strays = () => readFileSync(join(unit, "cgroup.procs"), "utf8").trim().split("\n").length - 1;
const left = () => eventually(strays, (count) => count === 0);
const HANGS = "trap '' TERM INT; while :; do sleep 600; done";

/** Plays steps as an agent that waits, until it has an escaped process. */
async function waiting(url: string, steps: string) {
  using open = openClient(url);
  const events = open.client.runTurn({ prompt: `${steps}\nsay up\nhang` });
  for await (const { event } of events) if (event?.kind.case === "text") return event.turnId;
  throw new Error("the turn ended");
}

describe.skipIf(typeof root === "string")(
  `an agent in a unit's cgroup, which is its user's${why}`,
  () => {
    it("is refused where it went to the server's own cgroup and shed its mark", async () => {
      await using server = await startUnit();
      expect(server.log()).toContain('"by":"cgroup"');
      const answer = join(folder, "answer");
      const call = curl(server.url, { method: "ListSessions", body: "{}" }).replaceAll('"', '\\"');
      expect(await runCommand(call, UID)).toContain("{");
      const command = `${call} >${answer}.part 2>&1; mv ${answer}.part ${answer}`;
      const told = await asAgent(
        server.url,
        `${escaping(command)}; while [ ! -e ${answer} ]; do sleep 0.1; done; cat ${answer}`,
      );
      expect(told).toContain("an agent");
      expect(await runCommand(call, UID)).toContain("sessions");
    });

    it("leaves nothing there behind its turn, where no other can have left it", async () => {
      await using server = await startUnit();
      await asAgent(server.url, escaping(HANGS));
      expect(await left()).toBe(0);
      const turnId = await waiting(server.url, escaping(HANGS));
      expect(strays()).toBeGreaterThan(0);
      // Of a turn that began behind it, it is not.
      await asAgent(server.url, "bash true");
      expect(strays()).toBeGreaterThan(0);
      using open = openClient(server.url);
      await open.client.cancelTurn({ turnId });
      expect(await left()).toBe(0);
    });

    it.each(["SIGTERM", "SIGKILL"] as const)(
      "outlives neither the server nor its next start, after %s",
      async (signal) => {
        {
          await using server = await startUnit();
          await waiting(server.url, escaping(HANGS));
          await server.end(signal);
        }
        if (signal === "SIGTERM") expect(cgroupProcesses(unit)).toEqual([]);
        else expect(strays()).toBeGreaterThanOrEqual(0);
        await using _ = await startServeProcess(environment.variables, inUnit(UID));
        expect(
          await eventually(
            () => cgroupProcesses(unit).length,
            (count) => count === 1,
          ),
        ).toBe(1);
      },
    );
  },
);

describe.skipIf(typeof root === "string")(`a server in a cgroup that others are in${why}`, () => {
  it("locks out and ends none of them, and says that a cgroup proves nothing", async () => {
    const operator = spawn("sleep", ["600"]);
    writeFileSync(join(unit, "cgroup.procs"), String(operator.pid));
    try {
      await using server = await startUnit();
      const [first = ""] = server.log().split("\n");
      expect(JSON.parse(first)).toMatchObject({
        level: "warn",
        message: "what an agent starts is held together",
        by: "environment mark",
        lack: expect.stringContaining(`others are in it, as the process ${operator.pid}`),
      });
      const call = curl(server.url, { method: "GetServerInfo", body: "{}" });
      const from = `echo 0 >${unit}/cgroup.procs; exec setpriv --reuid=${UID} --regid=${UID} --clear-groups ${call}`;
      expect(await runCommand(from)).toContain("CONTAINMENT_ENVIRONMENT_MARK");
      await asAgent(server.url, "bash true");
      await server.end("SIGTERM");
      expect(operator.exitCode ?? operator.signalCode).toBeNull();
    } finally {
      operator.kill("SIGKILL");
    }
  });
});

describe.skipIf(typeof root === "string")(
  `an agent of a user of its own in a unit's cgroup${why}`,
  () => {
    it("cannot leave its cgroup, and is refused by its user where root moves it", async () => {
      const config = join(folder, "claude");
      mkdirSync(config);
      await runCommand(`chown nobody ${config}`);
      await chmod(folder, 0o711);
      environment = await createTestEnvironment({
        BREAKGLASS_AGENT_USER: "nobody",
        CLAUDE_CONFIG_DIR: config,
        NODE_DISABLE_COMPILE_CACHE: "1",
      });
      await chmod(environment.root, 0o711);
      await using server = await startServeProcess(environment.variables, inUnit(undefined));
      expect(server.log()).toContain('"by":"cgroup"');
      const call = curl(server.url, { method: "ListSessions", body: "{}" });
      // No agent's process: its user is enough, wherever it is.
      const moved = `echo 0 >${unit}/cgroup.procs; exec setpriv --reuid=nobody --regid=65534 --clear-groups ${call}`;
      expect(await runCommand(moved)).toContain("an agent");
      expect(await runCommand(call, 65_534)).toContain("an agent");
      using open = openClient(server.url);
      const leaving = `python3 ${folder}/escape.py ${unit} true 2>&1; grep ^0:: /proc/self/cgroup; sleep 1`;
      const events = await collect(
        open.client.runTurn({ prompt: `bash ${leaving}; ${call}\nresult` }),
      );
      const [{ content: printed } = { content: "" }] = valuesOf(events, "toolResult");
      expect(printed).toContain("Permission denied");
      expect(printed).toMatch(/\/breakglass-[0-9a-f-]{36}$/m);
      expect(printed).toContain("an agent");
      expect(await runCommand(call)).toContain("{");
    });
  },
);
