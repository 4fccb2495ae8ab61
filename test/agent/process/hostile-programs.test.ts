import { randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { AgentRun } from "../../../src/agent/agent.ts";
import { ClaudeAgent } from "../../../src/agent/claude/claude-agent.ts";
import { CgroupRoot } from "../../../src/agent/process/cgroup.ts";
import { createProcesses, endLeftProcesses } from "../../../src/agent/process/processes.ts";
import { createLog } from "../../../src/log.ts";
import { eventually } from "../../support/processes.ts";

const RUNGS = { askedMs: 100, terminatedMs: 200, killedMs: 10_000 };
const root = CgroupRoot.find();
const why = root instanceof CgroupRoot ? "" : ` (not here: ${root})`;
const DEAF = `'trap "" TERM INT HUP; while :; do sleep 1; done' "$TOKEN"`;
const OWN = '"$CGROUPS/breakglass-$BREAKGLASS_PROCESS_ID"';
/** Clears its environment, begins a session and loses its parent, all at once. */
const SHED = `env -i /usr/bin/setsid -f /bin/sh -c ${DEAF}`;

/** Leave processes behind whose command line holds the token. */
const PROGRAMS: readonly [what: string, script: string, count: number][] = [
  ["a child that ignores SIGTERM", `sh -c ${DEAF} &`, 1],
  ["a child that is stopped", `sh -c 'kill -STOP $$; sleep 600' "$TOKEN" &`, 1],
  ["an orphan", `(sh -c ${DEAF} &)`, 1],
  ["an orphan in a session of its own", `setsid -f sh -c ${DEAF}`, 1],
  [
    "a fork bomb of 128",
    `perl -e '$SIG{TERM} = "IGNORE"; fork for 1..7; sleep 1 while 1' "$TOKEN" &`,
    128,
  ],
];

/** The same, which need a cgroup to be held or to be tried. */
const CGROUP_PROGRAMS: typeof PROGRAMS = [
  ["an orphan in a session of its own, without the mark", SHED, 1],
  [
    "one that moves into a cgroup below, and one that it leaves there",
    `mkdir -p ${OWN}/a/b; sh -c 'echo $$ >"$0/a/b/cgroup.procs"; exec sh -c ${DEAF.replaceAll("'", `'\\''`)}' ${OWN} & ${SHED}`,
    2,
  ],
  [
    "one that freezes the cgroup that it is in",
    `mkdir ${OWN}/a; ${SHED}; sh -c 'echo $$ >"$0/a/cgroup.procs"; sh -c "sleep 600; :" "$TOKEN" & sleep 0.1; echo 1 >"$0/a/cgroup.freeze"' ${OWN} &`,
    2,
  ],
  [
    "one that leaves the cgroup, but not its mark",
    `sh -c 'echo $$ >"$CGROUPS/cgroup.procs"; exec setsid -f sh -c ${DEAF.replaceAll("'", `'\\''`)}'`,
    1,
  ],
];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  // It does what its environment says, comes up and hangs.
  const init = '{"type":"system","subtype":"init","session_id":"s","model":"m","tools":[]}';
  const agent = `#!/bin/sh\nread -r prompt\neval "$PROGRAM"\necho '${init}'\nwhile :; do sleep 1; done\n`;
  writeFileSync(join(directory, "agent"), agent);
  await chmod(join(directory, "agent"), 0o755);
});
afterAll(() => rm(directory, { recursive: true }));

const tokens: string[] = [];
function createToken(): string {
  const token = randomUUID();
  tokens.push(token);
  return token;
}
// Nothing is left where a test fails either.
afterEach(() => {
  for (const pid of tokens.splice(0).flatMap(processesCalled)) process.kill(pid, "SIGKILL");
});

/** The processes that agents have started, newest last. */
const recorded: string[] = [];

function processes(cgroups: boolean) {
  const registry = {
    async recordProcess({ processId }: { readonly processId: string }) {
      recorded.push(processId);
    },
    async recordProcessGone() {},
  };
  const log = createLog(() => {});
  return createProcesses({ registry, log, maxLineBytes: 1_000_000, cgroups, rungs: RUNGS });
}

/** An agent whose turns all run one hostile program. */
function createAgent(program: string, token: string, cgroups: boolean): ClaudeAgent {
  return new ClaudeAgent({
    processes: processes(cgroups),
    defaults: { agent: "a", model: "m" },
    maxWarmProcesses: 0,
    warmMs: 1000,
    spares: { count: 0, mode: PermissionMode.BYPASS },
    trustsWorkspace: false,
    rules: { allow: [], deny: [] },
    command: join(directory, "agent"),
    environment: {
      PATH: process.env.PATH,
      HOME: directory,
      PROGRAM: program,
      TOKEN: token,
      CGROUPS: root instanceof CgroupRoot ? root.directory : "",
    },
    passedNames: ["PROGRAM", "TOKEN", "CGROUPS"],
    maxEventBytes: 100_000,
  });
}

/** Starts a turn; resolves once its program has left behind what it leaves behind. */
async function start(agent: ClaudeAgent, token: string, count: number) {
  const run = agent.start({
    turnId: randomUUID(),
    sessionKey: randomUUID(),
    agentSessionId: randomUUID(),
    workspace: directory,
    prompt: "x",
    images: [],
    files: [],
    model: "m",
    agent: "a",
    permissionMode: PermissionMode.BYPASS,
  });
  const events = readAll(run);
  const found = await eventually(
    () => processesCalled(token),
    (pids) => pids.length >= count,
  );
  expect(found.length).toBeGreaterThanOrEqual(count);
  return { run, processId: recorded.at(-1)!, events };
}

async function readAll({ events }: AgentRun): Promise<void> {
  for await (const _batch of events);
}

/** Those with an argument, found without mark or cgroup. */
function processesCalled(token: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(token);
      } catch {
        return false;
      }
    })
    .map(Number);
}

const cgroupOf = (processId: string) => (root as CgroupRoot).directoryOf(processId);

/** Stops a turn while another goes on, and answers what became of both. */
async function stopOneOfTwo(program: string, count: number, cgroups: boolean) {
  const [token, other] = [createToken(), createToken()];
  const bystander = await start(createAgent(`sh -c ${DEAF} &`, other, cgroups), other, 1);
  const { run, processId, events } = await start(
    createAgent(program, token, cgroups),
    token,
    count,
  );
  await run.stop();
  // Between fork and exec a child has its parent's arguments: there can be more than one.
  const left = { survivors: processesCalled(token), otherLives: processesCalled(other).length > 0 };
  await events;
  await bystander.run.stop();
  await bystander.events;
  return { ...left, processId };
}

describe("without a cgroup, stopping a turn", () => {
  it.each(PROGRAMS)("ends %s, and nobody of another turn", async (_what, program, count) => {
    const { survivors, otherLives } = await stopOneOfTwo(program, count, false);
    expect({ survivors, otherLives }).toEqual({ survivors: [], otherLives: true });
  });
});

describe.skipIf(typeof root === "string")(`with a cgroup${why}, stopping a turn`, () => {
  it.each([...PROGRAMS, ...CGROUP_PROGRAMS])(
    "ends %s, and nobody of another turn",
    async (_what, program, count) => {
      const { survivors, otherLives, processId } = await stopOneOfTwo(program, count, true);
      expect({ survivors, otherLives }).toEqual({ survivors: [], otherLives: true });
      expect(existsSync(cgroupOf(processId))).toBe(false);
    },
  );
});

describe.skipIf(typeof root === "string")(`with a cgroup${why}, a server that ends`, () => {
  it("at once kills what its turns left anywhere, without waiting", async () => {
    const token = createToken();
    const agent = createAgent(SHED, token, true);
    const turns = [await start(agent, token, 1), await start(agent, token, 2)];
    agent.killNow();
    // The loop is held up, as by a process that exits: nothing but the call itself can have ended them.
    const deadline = performance.now() + 10_000;
    while (processesCalled(token).length > 0 && performance.now() < deadline);
    expect(processesCalled(token)).toEqual([]);
    for (const { run, events } of turns) {
      await run.stop();
      await events;
    }
  });

  it("leaves what the next one finds, wherever that one sits, and nobody waits for another's", async () => {
    const quiet = randomUUID();
    const [deaf, token] = [createToken(), createToken()];
    const agent = createAgent(SHED, token, true);
    const elsewhere = join((root as CgroupRoot).directory, `test-${randomUUID()}`);
    const cgroup = join(elsewhere, `breakglass-${quiet}`);
    mkdirSync(cgroup, { recursive: true });
    const { run, events } = await start(agent, token, 1);
    const [survivor] = processesCalled(token);
    writeFileSync(join(cgroup, "cgroup.procs"), String(survivor));
    const left = await start(createAgent(`sh -c ${DEAF} &`, deaf, true), deaf, 1);

    const next = processes(true);
    const order: string[] = [];
    await Promise.all([
      endLeftProcesses(left.processId, next).then(() => order.push("deaf")),
      endLeftProcesses(randomUUID(), next).then(() => order.push("nobody")),
      endLeftProcesses(quiet, next),
    ]);
    expect(order).toEqual(["nobody", "deaf"]);
    expect(processesCalled(token)).toEqual([]);
    expect(processesCalled(deaf)).toEqual([]);
    expect(existsSync(cgroup)).toBe(false);
    rmdirSync(elsewhere);
    await Promise.all([run.stop(), left.run.stop(), events, left.events]);
  });
});
