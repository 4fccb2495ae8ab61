import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { ProcessLooks } from "../../../src/agent/process/process-looks.ts";
import { readProcess } from "../../../src/agent/process/process-table.ts";
import { PROCESS_ID_VARIABLE } from "../../../src/config/environment.ts";

const started: { child: ChildProcess; detached: boolean }[] = [];

/** Starts a shell and waits for its first line. It lives until the test ends, unless somebody ends it. */
async function start(script: string, env: Record<string, string>, detached = true) {
  const path = { PATH: process.env.PATH ?? "" };
  const child = spawn("sh", ["-c", script], { env: { ...path, ...env }, detached, stdio: "pipe" });
  started.push({ child, detached });
  await once(child.stdout, "data");
  return child;
}

const marked = (processId: string) => ({ [PROCESS_ID_VARIABLE]: processId });
const isAlive = ({ pid = 0 }: ChildProcess) => readProcess(pid) !== undefined;

/** Kills a family and answers who was sent the signal. */
function kill(looks: ProcessLooks, processId: string, known: readonly [number, string][] = []) {
  const look = { processId, known, cgroup: undefined, signal: "SIGKILL" } as const;
  return looks.answer([look])[0]!.map(([pid]) => pid);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The test has ended them all.
  }
}

afterEach(() => {
  for (const { child, detached } of started.splice(0)) {
    // What it started itself is in its group, where it has one of its own.
    if (detached) killGroup(child.pid!);
    else child.kill("SIGKILL");
  }
});

describe("a kill of a turn's processes", () => {
  it("spares those without a mark, with another's and with one that only resembles it", async () => {
    const processId = randomUUID();
    const bystanders = await Promise.all([
      start("echo; exec sleep 600", {}, false),
      start("echo; exec sleep 600", {}),
      start("echo; exec sleep 600", marked(randomUUID())),
      start("echo; exec sleep 600", marked(`${processId}0`)),
      start("echo; exec sleep 600", marked(processId.toUpperCase())),
      start("echo; exec sleep 600", { [`X_${PROCESS_ID_VARIABLE}`]: processId }),
      start("echo; exec sleep 600", { OTHER: `${PROCESS_ID_VARIABLE}=${processId}` }),
      start(`echo; exec sh -c 'sleep 600; : ${PROCESS_ID_VARIABLE}=${processId}'`, {}),
    ]);
    const own = await start("echo; exec sleep 600", marked(processId));
    const exit = once(own, "exit");
    expect(kill(new ProcessLooks(), processId)).toEqual([own.pid]);
    await exit;
    expect(bystanders.map(isAlive)).toEqual(bystanders.map(() => true));
  });

  it("spares those in the session of who started the turn, and ends a member in it", async () => {
    const bystander = await start("echo; exec sleep 600", {}, false);
    const processId = randomUUID();
    const member = await start("echo; exec sleep 600", marked(processId), false);
    expect(readProcess(member.pid!)?.session).toBe(readProcess(bystander.pid!)?.session);
    expect(readProcess(member.pid!)?.session).toBe(readProcess(process.pid)?.session);
    const exit = once(member, "exit");
    expect(kill(new ProcessLooks(), processId)).toEqual([member.pid]);
    await exit;
    expect(isAlive(bystander)).toBe(true);
  });

  it("spares who has the pid of a member that is gone", async () => {
    const heir = await start("echo; exec sleep 600", {});
    const { startTime } = readProcess(heir.pid!)!;
    const before = String(Number(startTime) - 1);
    expect(kill(new ProcessLooks(), randomUUID(), [[heir.pid!, before]])).toEqual([]);
    expect(isAlive(heir)).toBe(true);
    // The same pid with the time that it was started at is a member: the times are what tells them apart.
    const exit = once(heir, "exit");
    expect(kill(new ProcessLooks(), randomUUID(), [[heir.pid!, startTime]])).toEqual([heir.pid]);
    await exit;
  });

  it("ends one that was looked at before it had become the program that carries the mark", async () => {
    const processId = randomUUID();
    const script = `echo; read line; exec env ${PROCESS_ID_VARIABLE}=${processId} sh -c 'echo; exec sleep 600'`;
    const agent = await start(script, {});
    const looks = new ProcessLooks();
    expect(kill(looks, processId)).toEqual([]);
    agent.stdin!.write("go\n");
    await once(agent.stdout!, "data");
    const exit = once(agent, "exit");
    expect(kill(looks, processId)).toContain(agent.pid);
    await exit;
  });

  it("ends one that was looked at before it cleared its environment", async () => {
    const processId = randomUUID();
    const script =
      "echo; read line; exec env -i /bin/sh -c 'trap : HUP; echo; while :; do /bin/sleep 1; done'";
    const agent = await start(script, marked(processId));
    const looks = new ProcessLooks();
    const [members] = looks.answer([
      { processId, known: [], cgroup: undefined, signal: undefined },
    ]);
    agent.stdin!.write("go\n");
    await once(agent.stdout!, "data");
    const exit = once(agent, "exit");
    // As another server would ask, which has never looked at it: only what an earlier look found tells.
    expect(kill(new ProcessLooks(), processId)).toEqual([]);
    expect(
      kill(
        new ProcessLooks(),
        processId,
        members!.map(([...each]) => each),
      ),
    ).toContain(agent.pid);
    await exit;
  });
});
