import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import {
  CgroupRoot,
  cgroupProcesses,
  findCgroups,
  isPopulated,
  launch,
  removeCgroup,
} from "../../../src/agent/process/cgroup.ts";
import { ProcessFamilies } from "../../../src/agent/process/process-families.ts";
import { stopFamily } from "../../../src/agent/process/stop-ladder.ts";
import { PROCESS_ID_VARIABLE } from "../../../src/config/environment.ts";
import { createLog } from "../../../src/log.ts";
import { eventually } from "../../support/processes.ts";

const RUNGS = { askedMs: 0, terminatedMs: 200, killedMs: 5000 };
const root = CgroupRoot.find();
const why = root instanceof CgroupRoot ? "" : ` (not here: ${root})`;
const processes = new ProcessFamilies(createLog(() => {}));

/** Starts a shell in a cgroup of its own and waits for its first line; resolves with what a turn would know of it. */
async function start(script: string) {
  const processId = randomUUID();
  const cgroup = processes.createCgroup(processId)!;
  const [command, ...args] = launch({ cgroup }, "sh", ["-c", script]);
  const env = { PATH: process.env.PATH ?? "", [PROCESS_ID_VARIABLE]: processId };
  const child = spawn(command, args, { env, detached: true, stdio: "pipe" });
  const exit = once(child, "exit");
  await once(child.stdout, "data");
  return { cgroup, processId, child, exit };
}

describe.skipIf(typeof root === "string")(`a turn's cgroup${why}`, () => {
  const deaf = "trap '' TERM; while :; do sleep 0.05; done";

  it.each([
    ["a child that ignores SIGTERM", `sh -c "${deaf}" & echo; wait`],
    ["an orphan in a session of its own", `setsid sh -c "${deaf}" & echo`],
    [
      "an orphan in a session of its own, without the mark, that nobody ever looked at",
      `env -i /bin/sh -c "/usr/bin/setsid /bin/sh -c '/bin/sh -c \\"trap : TERM; while :; do /bin/sleep 1; done\\" >/dev/null 2>&1 &' &"; echo`,
    ],
    [
      "a swarm",
      "trap '' TERM; echo; i=0; while [ $i -lt 300 ]; do sleep 60 & i=$((i+1)); done; wait",
    ],
  ])("holds %s, and ends it", async (_what, script) => {
    const { cgroup, processId, child, exit } = await start(script);
    const family = processes.family({ processId, cgroup, root: child.pid });
    expect(await family.lives()).toBe(true);
    expect(await stopFamily(family, exit, () => {}, RUNGS)).toBe(true);
    expect(cgroupProcesses(cgroup)).toEqual([]);
    expect(isPopulated(cgroup)).toBe(false);
    await removeCgroup(cgroup);
    expect(existsSync(cgroup)).toBe(false);
  });

  it("holds those who move into one below it, which goes too", async () => {
    const { cgroup, processId, child, exit } = await start(`echo; ${deaf}`);
    const below = join(cgroup, "below");
    mkdirSync(below);
    writeFileSync(join(below, "cgroup.procs"), String(child.pid));
    const family = processes.family({ processId, cgroup, root: undefined });
    expect(await family.members()).toContain(child.pid);
    expect(await stopFamily(family, exit, () => {}, RUNGS)).toBe(true);
    await removeCgroup(cgroup);
    expect(existsSync(cgroup)).toBe(false);
  });

  it("is found by who knows only the turn's process id, and nobody else's is touched", async () => {
    const mine = await start(`echo; ${deaf}`);
    const other = await start(`echo; ${deaf}`);
    const { family, cgroup } = await processes.leftFamily(mine.processId);
    expect(cgroup).toBe(mine.cgroup);
    expect(findCgroups().get(other.processId)).toBe(other.cgroup);
    expect(await stopFamily(family, mine.exit, () => {}, RUNGS)).toBe(true);
    expect(isPopulated(other.cgroup)).toBe(true);
    const rest = processes.family({ processId: other.processId, cgroup: other.cgroup });
    await stopFamily(rest, other.exit, () => {}, RUNGS);
    await Promise.all([removeCgroup(mine.cgroup), removeCgroup(other.cgroup)]);
  });

  it("changes neither the arguments nor the environment of who begins in it", async () => {
    const cgroup = processes.createCgroup(randomUUID())!;
    const odd = ["", "a b", "-n", "$HOME", "'\"", "*", "\\", "é\n"];
    const script = "console.log(JSON.stringify([process.argv.slice(1), process.env]))";
    const [command, ...args] = launch({ cgroup }, process.execPath, ["-e", script, "--", ...odd]);
    const env = { PATH: "/usr/bin:/bin", ODD: " a\nb ", EMPTY: "" };
    const child = spawn(command, args, { env });
    expect(JSON.parse(await text(child.stdout))).toEqual([odd, env]);
    await eventually(
      () => isPopulated(cgroup),
      (populated) => !populated,
    );
    await removeCgroup(cgroup);
  });

  it("keeps nobody from running where it cannot be entered", async () => {
    const [command, ...args] = launch({ cgroup: "/nowhere" }, "sh", [
      "-c",
      "echo ran; echo said >&2",
    ]);
    const child = spawn(command, args);
    const printed = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(printed).toEqual(["ran\n", "said\n"]);
  });

  it("is swept away where it is old and empty, and stays where someone is in it", async () => {
    const own = (root as CgroupRoot).create(`test-${randomUUID()}`);
    const found = CgroupRoot.find(own) as CgroupRoot;
    const [used, left] = [found.create("used"), found.create("left")];
    const child = spawn("sleep", ["60"]);
    writeFileSync(join(used, "cgroup.procs"), String(child.pid));
    await found.sweep();
    expect(existsSync(left)).toBe(true);
    await found.sweep(0);
    expect(existsSync(left)).toBe(false);
    expect(isPopulated(used)).toBe(true);
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    await removeCgroup(own);
    expect(existsSync(own)).toBe(false);
  });
});
