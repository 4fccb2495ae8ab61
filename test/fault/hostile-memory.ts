import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { quantile } from "../bench/figure.ts";
import { createGate, type Gate } from "../support/gate.ts";
import { processesWith } from "../support/processes.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { MARKER } from "../support/test-environment.ts";
import { startFaultServer } from "./fault-server.ts";
import type { Ground } from "./ground.ts";
import { forgetPeakMemory, peakMemoryMb } from "./process-memory.ts";
import { createStartGround } from "./readers/start-ground.ts";
import { Recording } from "./recording.ts";
import type { FaultRow } from "./row.ts";
import { countedRequest } from "./started-turn.ts";
import { Tally } from "./trials.ts";

/** So many agents at once, which is what a server takes by default. */
const AGENTS = 16;
/** What they may add to the server, all together. */
const GROWTH_MB = 300;
/** How often another agent says what time it is. */
const CLOCK_MS = 20;
const QUIET_MS = 2000;
/** How long they are let print where nothing else is said. */
const HOARDING_MS = 30_000;
/** How often it is looked whether all of them are gone. */
const GONE_LOOK_MS = 5000;

/** What an agent prints, and how often; the largest come to 1 GB where it is let. */
interface Sort {
  /** The sort of line, as `fault-agent.pl` knows it, and how many. */
  readonly hoard: string;
  /** Behind its result, while no turn is running. */
  readonly idle?: true;
  readonly mode?: PermissionMode;
}

const mode = PermissionMode.ASK;
const SORTS: Readonly<Record<string, Sort>> = {
  "large results of tools, idle": { hoard: "toolResult 50", idle: true },
  "large results of tools": { hoard: "toolResult 20" },
  "ids of tasks": { hoard: "taskId 50" },
  "ids of tasks, idle": { hoard: "taskId 50", idle: true },
  "inputs of approvals": { hoard: "approval 20", mode },
  "inputs of approvals that fit": { hoard: "smallApproval 100", mode },
  "names in approvals": { hoard: "approvalName 20", mode },
  "ids of approvals": { hoard: "approvalId 20", mode },
  "approvals that are withdrawn": { hoard: "withdrawal 5000", mode },
  "requests, answers unread": { hoard: "request 500000" },
  "requests, answers unread, idle": { hoard: "request 500000", idle: true },
  "large requests, answers unread": { hoard: "largeRequest 50" },
  "a line that does not end": { hoard: "endless 500" },
  "a line that does not end, idle": { hoard: "endless 500", idle: true },
  "lines above the limit": { hoard: "overlong 10" },
  "lines that are no message, idle": { hoard: "malformed 20", idle: true },
  "ids of tools": { hoard: "toolId 20" },
  "tools without end": { hoard: "tool 20000" },
  "ids of messages": { hoard: "messageId 20" },
  "denials in results": { hoard: "denials 20" },
  "messages of large blocks": { hoard: "blocks 5" },
  "lines of many values": { hoard: "values 5" },
  "lines of many numbers": { hoard: "numbers 5" },
  "small events": { hoard: "small 20000" },
  "inits, idle": { hoard: "init 20", idle: true },
  "echoes of nothing": { hoard: "echo 20" },
  notices: { hoard: "notice 20" },
  "notices, idle": { hoard: "notice 20", idle: true },
  "text letter by letter": { hoard: "delta 20000" },
};

/** Agents that print whatever a server might keep, as much of it as they are let. */
export const hostileMemory: FaultRow = {
  name: "hostile-memory",
  fault: `agents that print without bound what a server might keep, ${AGENTS} of a sort at once: ${Object.keys(SORTS).join("; ")}`,
  bar: `less than ${GROWTH_MB} MB more for all of a sort, and another turn's p99 at most twice what it was`,
  async run(trials) {
    const tally = new Tally();
    for (const name of Object.keys(SORTS)) await runSort(name, Math.min(AGENTS, trials), tally);
    return tally.outcome;
  },
};

async function runSort(name: string, agents: number, tally: Tally): Promise<void> {
  const { growthMb, faults, quietMs, busyMs, root } = await measureSort(name, agents);
  tally.most(`MB more by ${name}`, growthMb);
  if (growthMb > GROWTH_MB) faults.push(`the server grew by ${Math.round(growthMb)} MB`);
  tally.time("another turn beside nobody", quietMs);
  tally.time(`another turn beside ${name}`, busyMs, 2 * quietMs);
  tally.trial(
    faults.map((fault) => `${name}: ${fault}`),
    root,
  );
  tally.count("agents", agents);
}

/** What agents of one sort did to a server, and to another turn there. */
export interface SortHarm {
  /** By how much the server's memory grew at most. */
  readonly growthMb: number;
  /** How late the other turn's texts were before and meanwhile, the 99th of a hundred. */
  readonly quietMs: number;
  readonly busyMs: number;
  /** What was wrong with the other turn. */
  readonly faults: string[];
  readonly root: string;
}

/** Has agents do one sort of thing on a server of their own, beside a turn that is timed. */
export async function measureSort(name: string, agents: number): Promise<SortHarm> {
  await using hoarding = await startHoarding(name, agents);
  const { server, ground } = hoarding;
  using connection = connect(server.url);
  const clock = startClock(connection, ground);
  await clock.started;
  await delay(QUIET_MS);
  const quietMs = lateness(clock.take());
  const growthMb = await hoarding.growthMb(HOARDING_MS);
  const busyMs = lateness(clock.take());
  await hoarding.end();
  return { growthMb, quietMs, busyMs, faults: await clock.end(), root: ground.root };
}

/**
 * By how many megabytes a server grows while agents do one sort of thing, and no other turn is there: then each of them is
 * read as fast as the server can.
 *
 * @param forMs - What they have not printed then they are not let print.
 */
export async function growthAlone(name: string, agents: number, forMs: number): Promise<number> {
  await using hoarding = await startHoarding(name, agents);
  const growthMb = await hoarding.growthMb(forMs);
  await hoarding.end();
  return growthMb;
}

/** Starts a server with agents that wait to hoard. */
async function startHoarding(name: string, agents: number) {
  const sort = SORTS[name]!;
  await using cleanup = new AsyncDisposableStack();
  const ground = cleanup.use(
    await createStartGround({
      BREAKGLASS_MAX_CONCURRENT_TURNS: String(2 * AGENTS),
      BREAKGLASS_MAX_WARM_PROCESSES: String(AGENTS),
    }),
  );
  const server = cleanup.use(await startFaultServer(ground));
  const connection = cleanup.use(connect(server.url));
  const gate = createGate(ground.root);
  const runs = Array.from({ length: agents }, (_, n) => hoard(connection, ground, sort, gate, n));
  await Promise.all(runs.map(({ ready }) => ready));
  const owned = cleanup.move();
  return {
    ground,
    server,
    async growthMb(forMs: number): Promise<number> {
      forgetPeakMemory(server.pid);
      const before = peakMemoryMb(server.pid);
      gate.open();
      await Promise.race([Promise.all(runs.map(({ done }) => done)), delay(forMs)]);
      return peakMemoryMb(server.pid) - before;
    },
    end: () => Promise.all(runs.map(({ end }) => end())),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The 99th of a hundred; where nothing came at all it is late for good. */
function lateness(times: readonly number[]): number {
  return times.length === 0 ? Number.POSITIVE_INFINITY : quantile(times, 0.99);
}

/** Starts an agent that hoards; `done` resolves once it has, or was ended for it. */
function hoard(
  { client }: TestClient,
  { root, variables }: Ground,
  sort: Sort,
  gate: Gate,
  n: number,
) {
  const sign = join(root, `hoarded-${n}`);
  const steps = [
    "say ready 1 0",
    ...(sort.idle === undefined ? [] : ["result"]),
    gate.step,
    `hoard ${sort.hoard}`,
    `sign ${sign}`,
    "hang",
  ];
  const { token: _, ...message } = countedRequest(() => steps);
  const permissionMode = sort.mode ?? PermissionMode.BYPASS;
  const recording = new Recording(client.runTurn({ ...message, permissionMode }));
  const isDone = async () => {
    await recording.accepted();
    while (!existsSync(sign)) {
      await delay(50);
      if (!recording.hasEnd) continue;
      // To look through all processes takes this one's loop, which the other turn's events are timed on.
      await delay(GONE_LOOK_MS);
      if (processesWith(MARKER, variables[MARKER]!).length <= 1) return;
    }
  };
  const isIdle = sort.idle !== undefined;
  return {
    ready: isIdle ? recording.over : recording.received(2),
    done: isDone(),
    async end() {
      writeFileSync(sign, "");
      const turnId = await recording.accepted();
      if (turnId !== undefined) await client.cancelTurn({ turnId });
    },
  };
}

/** Runs a turn whose agent says what time it is, and times how long that takes to get here. */
function startClock({ client }: TestClient, { root }: Ground) {
  const stop = join(root, "stop-clock");
  const { token: _, ...message } = countedRequest(() => [`clock ${stop} ${CLOCK_MS}`]);
  const recording = new Recording(client.runTurn(message));
  let taken = 0;
  return {
    started: recording.received(2),
    /** How long each text took since the last call, in milliseconds. */
    take(): number[] {
      const first = taken;
      taken = recording.events.length;
      return recording.events.slice(first).flatMap(({ kind }, index) => {
        const received = performance.timeOrigin + recording.times[first + index]!;
        return kind.case === "text" ? [received - Number(kind.value.text)] : [];
      });
    },
    /** Ends it, and answers what was wrong with it. */
    async end(): Promise<string[]> {
      writeFileSync(stop, "");
      const cut = await recording.over;
      if (cut !== undefined) return [`another turn's stream is cut: ${cut.message}`];
      const end = recording.durable.at(-1)?.kind;
      return end?.case === "result" ? [] : [`another turn ended with ${end?.case}`];
    },
  };
}
