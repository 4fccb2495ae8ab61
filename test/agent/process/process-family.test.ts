import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { findContainment } from "../../../src/agent/process/containment.ts";
import { ProcessFamilies } from "../../../src/agent/process/process-families.ts";
import type { ProcessFamily } from "../../../src/agent/process/process-family.ts";
import {
  listProcesses,
  readEnvironmentVariable,
} from "../../../src/agent/process/process-table.ts";
import { stopFamily } from "../../../src/agent/process/stop-ladder.ts";
import { PROCESS_ID_VARIABLE } from "../../../src/config/environment.ts";
import { createLog } from "../../../src/log.ts";
import { eventually } from "../../support/processes.ts";

const RUNGS = { askedMs: 300, terminatedMs: 300, killedMs: 3000 };
const processes = new ProcessFamilies(
  createLog(() => {}),
  findContainment(undefined, false),
);
const started: { family: ProcessFamily; child: ChildProcess }[] = [];

/** Starts a shell under a process id of its own; resolves when its script has printed a line. */
async function start(script: string) {
  const processId = randomUUID();
  const env = { PATH: process.env.PATH ?? "", [PROCESS_ID_VARIABLE]: processId };
  const child = spawn("sh", ["-c", script], { env, detached: true, stdio: "pipe" });
  child.stdin.on("error", () => {});
  const family = processes.family({ processId, cgroup: undefined, root: child.pid });
  const exit = once(child, "exit");
  started.push({ family, child });
  await once(child.stdout, "data");
  return { family, child, exit, processId };
}

/** The child that has no process id in its environment any more. */
async function clearedChildOf(child: ChildProcess): Promise<number> {
  const children = await eventually(
    () =>
      listProcesses()
        .filter(({ parent }) => parent === child.pid)
        .map(({ pid }) => pid)
        .filter((pid) => readEnvironmentVariable(pid, PROCESS_ID_VARIABLE) === undefined),
    (found) => found.length === 1,
  );
  expect(children).toHaveLength(1);
  return children[0]!;
}

afterEach(async () => {
  for (const { family } of started.splice(0)) await family.signal("SIGKILL");
});

describe("ProcessFamily", () => {
  it.each([
    ["a child", "sleep 600 & echo; wait"],
    ["a child in a session of its own", "setsid sleep 600 & echo; wait"],
    ["orphans in a session of their own", "setsid sh -c 'sleep 600 & echo; exec sleep 600' &"],
  ])("finds %s", async (_what, script) => {
    const { family } = await start(script);
    expect((await family.members()).length).toBeGreaterThanOrEqual(2);
    expect(await family.members()).not.toContain(process.pid);
  });

  it("finds a child that cleared its environment, by its parent", async () => {
    const { family, child } = await start("env -i sleep 600 & echo; wait");
    expect(await family.members()).toContain(await clearedChildOf(child));
  });

  it("still knows one that it has seen, when its parent is gone", async () => {
    const { family, child, exit } = await start("env -i setsid sleep 600 & echo; read line");
    const orphan = await clearedChildOf(child);
    expect(await family.members()).toContain(orphan);
    child.stdin!.end();
    await exit;
    expect(await family.members()).toEqual([orphan]);
  });

  it("does not take the processes of another for its own", async () => {
    const one = await start("sleep 600 & echo; wait");
    const two = await start("sleep 600 & echo; wait");
    const [first, second] = await Promise.all([one.family.members(), two.family.members()]);
    expect(new Set([...first, ...second]).size).toBe(first.length + second.length);
    await one.family.signal("SIGKILL");
    await one.exit;
    expect(await two.family.members()).toEqual(second);
  });

  it("does not take a process for its own whose mark only begins like its own", async () => {
    const { processId } = await start("sleep 600 & echo; wait");
    const shorter = processes.family({ processId: processId.slice(0, -1), cgroup: undefined });
    expect(await shorter.members()).toEqual([]);
  });

  it("is empty for ids that nobody carries", async () => {
    const nobody = processes.family({ processId: randomUUID(), cgroup: undefined });
    expect(await nobody.members()).toEqual([]);
    expect(await nobody.lives()).toBe(false);
  });

  it("does not believe one look where its members live shorter than a look takes", async () => {
    // Each lives for a moment and hands on to the next: a chain that no single reading of the table need hit.
    const chain = `exec perl -e '$|=1; print "up\\n"; for (1..4000) { exit if fork; } '`;
    const { family } = await start(chain);
    expect(
      await eventually(
        () => family.lives(),
        (lives) => !lives,
        20_000,
      ),
    ).toBe(false);
    // Gone must mean gone: nobody carries the mark a moment later.
    const later = await eventually(
      () => family.members(),
      (found) => found.length > 0,
      500,
    );
    expect(later).toEqual([]);
  });
});

describe("stopFamily", () => {
  it("only asks, where that is enough", async () => {
    const { family, child, exit } = await start("trap 'exit 9' TERM; echo; read line; exit 4");
    expect(await stopFamily(family, exit, () => child.stdin!.end(), RUNGS)).toBe(true);
    expect(await exit).toEqual([4, null]);
  });

  it("sends SIGTERM to those who were asked in vain", async () => {
    const { family, exit } = await start("trap 'exit 9' TERM; echo; while :; do sleep 0.05; done");
    expect(await stopFamily(family, exit, () => {}, RUNGS)).toBe(true);
    expect(await exit).toEqual([9, null]);
  });

  it("kills those who heed nothing, and their orphans", async () => {
    const deaf = "trap '' TERM; while :; do sleep 0.05; done";
    const { family, exit } = await start(`setsid sh -c "${deaf}" & trap '' TERM; echo; ${deaf}`);
    const began = performance.now();
    expect(await stopFamily(family, exit, () => {}, RUNGS)).toBe(true);
    expect(await exit).toEqual([null, "SIGKILL"]);
    expect(await family.members()).toEqual([]);
    expect(performance.now() - began).toBeLessThan(RUNGS.askedMs + RUNGS.terminatedMs + 2000);
  });

  it("kills what multiplies faster than it is found", async () => {
    const spawner = "trap '' TERM; echo; while :; do sleep 5 & sleep 0.02; done";
    const { family, exit } = await start(spawner);
    expect(await stopFamily(family, exit, () => {}, { ...RUNGS, askedMs: 0 })).toBe(true);
    expect(await family.members()).toEqual([]);
  });
});
