import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { ErrorReason, ErrorReasonSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../../src/enum-name.ts";
import { valuesOf } from "../support/events.ts";
import { createGate } from "../support/gate.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { startFaultServer } from "./fault-server.ts";
import { createGround, type Ground } from "./ground.ts";
import { faultsOfTurn } from "./log-rules.ts";
import { peakMemoryMb } from "./process-memory.ts";
import { between } from "./random.ts";
import { Recording } from "./recording.ts";
import type { FaultRow } from "./row.ts";
import { countedRequest } from "./started-turn.ts";
import { GONE_AFTER_RESULT_MS, killAll, LADDER_MS, survivors } from "./survivors.ts";
import { faultsWithin, Tally } from "./trials.ts";

const MIB = 1024 * 1024;
const LANES = 3;
const TRIAL_MS = 90_000;
/** What is left then is left for good, however busy the machine is. */
const ALL_GONE_MS = 30_000;
/** What the lanes together may add to the server: lines of 32 MiB, the newest events, what is on its way to the disk. */
const MEMORY_MB = 400;
/** How long the witness, whose agent says something every 20 ms, may seem silent. */
const SILENCE_MS = 2000;

/** Becomes a server for which the machine has no cgroups. */
const WITHOUT_CGROUPS = [
  ...["unshare", "--mount", "sh", "-c"],
  'mount -t tmpfs none /sys/fs/cgroup && exec "$@"',
  "sh",
];

/** What an agent does that it should not, before it says that it did. */
const DEEDS: Readonly<Record<string, readonly string[]>> = {
  "ignores SIGTERM": ["deaf"],
  "has a deaf child": ["child"],
  "leaves a deaf orphan": ["orphan"],
  "leaves an orphan that holds its output": ["holder"],
  "leaves an orphan without environment": ["stranger"],
  "is a fork bomb": ["multiply 40"],
  "floods stdout": [`pour flood 2000 ${16 * 1024}`],
  "floods stderr": [`floodStderr ${64 * MIB}`],
  "never ends a line": [`floodStdout ${128 * MIB}`],
  "ends a line late": [`floodStdout ${128 * MIB}`, "endLine"],
  "nests its input too deep": ["deep 20000"],
  "does all of it": [
    ...["deaf", "child", "orphan", "holder", "multiply 16", `floodStderr ${MIB}`],
    ...[`floodStdout ${40 * MIB}`, "endLine", "deep 20000"],
  ],
};

/** How its turn comes to an end. */
const ENDS = ["canceled", "timed out", "left to end"] as const;
type End = (typeof ENDS)[number];

/** Agents that do whatever they can to outlive their turns or to hurt the server. */
export const hostileAgents: FaultRow = {
  name: "hostile-agents",
  fault:
    "agents that ignore SIGTERM, double-fork, clear their environment, fork without end, flood, never end a line; canceled, timed out, or left to end",
  bar: "0 survivors after the grace and 1 s, one terminal event, the server's memory bounded, other turns unharmed",
  async run(trials) {
    const tally = new Tally();
    const ways = mayHideCgroups() ? [[], WITHOUT_CGROUPS] : [[]];
    const harm: string[] = [];
    for (const prefix of ways) {
      harm.push(...(await runOn(prefix, Math.ceil(trials / ways.length), tally)));
    }
    const { failures, ...outcome } = tally.outcome;
    return { ...outcome, failures: [...failures, ...harm] };
  },
};

function mayHideCgroups(): boolean {
  const [command, ...args] = WITHOUT_CGROUPS;
  return spawnSync(command!, [...args, "true"]).status === 0;
}

/** Makes so many trials on a server of their own, and answers what harm they did to it and to another turn. */
async function runOn(prefix: readonly string[], trials: number, tally: Tally): Promise<string[]> {
  await using ground = await createGround();
  await using server = await startFaultServer(ground, prefix);
  using connection = connect(server.url);
  const held = (await readFile(join(ground.root, "log"), "utf8")).includes('"by":"cgroup"');
  const plans = plansOf(trials, held);
  tally.count(held ? "trials in cgroups" : "trials without cgroups", plans.length);
  const before = peakMemoryMb(server.pid);
  const witness = watch(connection, ground);
  const lane = async () => {
    for (let plan = plans.pop(); plan !== undefined; plan = plans.pop()) {
      const { deed, end } = plan;
      const faults = await faultsWithin(TRIAL_MS, () => trial(connection, deed, end, tally));
      const told = faults.map((fault) => `an agent that ${deed}, ${end}: ${fault}`);
      tally.trial(told, ground.root);
      if (faults.length > 0) ground.keep();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const harm = await witness.end(tally);
  const growth = peakMemoryMb(server.pid) - before;
  tally.most("MB that the server grew by", growth);
  if (growth > MEMORY_MB) harm.push(`the server grew by ${Math.round(growth)} MB`);
  return harm;
}

/** So many deeds and ends, each pair in its turn; without the ones that nothing but a cgroup holds, where there is none. */
function plansOf(trials: number, isHeld: boolean): { deed: string; end: End }[] {
  const deeds = Object.keys(DEEDS);
  const all = Array.from({ length: trials }, (_, trial) => ({
    deed: deeds[trial % deeds.length]!,
    end: ENDS[(trial + Math.floor(trial / deeds.length)) % ENDS.length]!,
  }));
  return all.filter(({ deed }) => isHeld || !DEEDS[deed]!.includes("stranger"));
}

async function trial(
  { client }: TestClient,
  deed: string,
  end: End,
  tally: Tally,
): Promise<string[]> {
  const last = end === "left to end" ? "say did 1 0" : "hang";
  const { token: _, ...message } = countedRequest((token) => [
    `say ${token} 1 0`,
    ...DEEDS[deed]!,
    last,
  ]);
  const timeout = end === "timed out" ? { timeout: durationFromMs(1500) } : {};
  const recording = new Recording(client.runTurn({ ...message, ...timeout }));
  const turnId = await recording.accepted();
  if (turnId === undefined) return [`it is refused: ${(await recording.over)?.message}`];
  await recording.received(2);
  if (end === "canceled") {
    // In the middle of what it does, or after it.
    await delay(between(0, 500));
    const asked = performance.now();
    await client.cancelTurn({ turnId });
    tally.time("canceled", performance.now() - asked, LADDER_MS + 1000);
  }
  const cut = await recording.over;
  const faults = faultsOfTurn(recording.durable);
  if (cut !== undefined) faults.push(`its stream is cut: ${cut.message}`);
  return [
    ...faults,
    ...faultsOfEnd(recording, end),
    ...(await faultsOfSurvivors(recording, end, tally)),
  ];
}

function faultsOfEnd({ durable }: Recording, end: End): string[] {
  const [error] = valuesOf(durable, "error");
  const reason = error === undefined ? "a result" : enumName(ErrorReasonSchema, error.reason);
  const expected = {
    canceled: ErrorReason.CANCELED,
    "timed out": ErrorReason.TURN_TIMEOUT,
    "left to end": undefined,
  }[end];
  return error?.reason === expected ? [] : [`it ended with ${reason}: ${error?.message ?? ""}`];
}

/** Nothing is left when the server has told that it ended the turn; what a result leaves gets its time. */
async function faultsOfSurvivors(
  { durable }: Recording,
  end: End,
  tally: Tally,
): Promise<string[]> {
  const [session] = valuesOf(durable, "session");
  if (session === undefined) return ["its agent did not come up"];
  const over = performance.now();
  const atOnce = end === "left to end" ? [] : await survivors(session.agentSessionId, 0);
  const left = await survivors(session.agentSessionId, ALL_GONE_MS);
  const what = end === "left to end" ? "survivors gone after a result" : "survivors gone";
  const bar = end === "left to end" ? GONE_AFTER_RESULT_MS : 1000;
  tally.time(what, performance.now() - over, bar);
  killAll(left);
  return [
    ...(atOnce.length > 0
      ? [`${atOnce.length} processes are left when it is told to be over`]
      : []),
    ...(left.length > 0 ? [`${left.length} processes are left`] : []),
  ];
}

/** Runs a turn beside all others, of an agent that says something every 20 ms. */
function watch({ client }: TestClient, { root }: Ground) {
  const gate = createGate(root);
  const path = gate.step.slice("wait ".length);
  const { token: _, ...message } = countedRequest((token) => [`until ${path} ${token} 20`]);
  const recording = new Recording(client.runTurn(message));
  return {
    /** Lets it end, and answers how it was harmed. */
    async end(tally: Tally): Promise<string[]> {
      gate.open();
      const cut = await recording.over;
      const { durable, times } = recording;
      const silences = times.slice(2).map((time, index) => time - times[index + 1]!);
      tally.time("silence of another turn, at most", Math.max(0, ...silences), SILENCE_MS);
      tally.count("events of another turn", durable.length);
      const faults = faultsOfTurn(durable);
      if (valuesOf(durable, "result").length === 0) faults.push("it has no result");
      if (cut !== undefined) faults.push(`its stream is cut: ${cut.message}`);
      return faults.map((fault) => `another turn: ${fault}`);
    },
  };
}
