import { setTimeout as delay } from "node:timers/promises";
import type { BreakglassClient } from "#client";
import { ErrorReason, ErrorReasonSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../../src/enum-name.ts";
import { ConnectionFlood } from "../support/connection-flood.ts";
import { giveDescriptors, openDescriptors, takeDescriptors } from "../support/descriptor-limit.ts";
import { valuesOf } from "../support/events.ts";
import { connect } from "../support/protocols.ts";
import { type FaultServer, startFaultServer } from "./fault-server.ts";
import { createGround } from "./ground.ts";
import { faultsOfTurn } from "./log-rules.ts";
import { between, oneOf } from "./random.ts";
import { Recording } from "./recording.ts";
import type { FaultRow } from "./row.ts";
import { countedRequest } from "./started-turn.ts";
import { GONE_AFTER_RESULT_MS, killAll, LADDER_MS, survivors } from "./survivors.ts";
import { faultsWithin, Tally } from "./trials.ts";

/** Leaves the default of 16 turns some forty connections. */
const LIMIT = 512;
const TURNS = 4;
const TRIAL_MS = 60_000;
const CANCELED_MS = 1000;
/** For a second it is tried to look for its processes before an agent is asked to end. */
const CANCELED_BLINDLY_MS = 1000 + CANCELED_MS;

/** What agents do that are canceled: some heed nothing and leave others behind. */
const DEEDS: readonly (readonly string[])[] = [
  [],
  ["child"],
  ["deaf", "orphan"],
  ["deaf", "child", "orphan"],
];

/** Connections take every descriptor that they get, and in every second trial the server's own are taken too. */
export const descriptorsUsedUp: FaultRow = {
  name: "descriptors-used-up",
  fault: `a limit of ${LIMIT} file descriptors under twice as many connections; in every second trial every open fails for up to 2 s`,
  bar: "turns start, end and are canceled as ever; where every open fails they end AGENT_START_FAILED in words, a cancel is answered within 2 s after; one end a turn, 0 survivors, the server lives",
  async run(trials) {
    const tally = new Tally();
    await using ground = await createGround();
    await using server = await startFaultServer(ground, ["prlimit", `--nofile=${LIMIT}`]);
    using connection = connect(server.url);
    await connection.client.listSessions({});
    using _flood = await ConnectionFlood.begin(server.url, 2 * LIMIT);
    for (let made = 0; made < trials; made++) {
      const isTaken = made % 2 === 1;
      const run = () => trial(connection.client, server, isTaken, tally);
      const faults = await faultsWithin(TRIAL_MS, run);
      const told = faults.map((fault) => `${isTaken ? "all taken" : "connections"}: ${fault}`);
      tally.trial(told, ground.root);
      tally.most("descriptors open", openDescriptors(server.pid));
      if (faults.length > 0) ground.keep();
    }
    const left = await survivors(`${ground.root}/agent`, GONE_AFTER_RESULT_MS);
    killAll(left);
    const status = await server.end("SIGTERM");
    const { failures, ...outcome } = tally.outcome;
    const survived = left.length === 0 ? [] : [`${left.length} processes are left`];
    const exited = status === 0 ? [] : [`exit status ${status}`];
    return { ...outcome, failures: [...failures, ...survived, ...exited] };
  },
};

async function trial(
  client: BreakglassClient,
  server: FaultServer,
  isTaken: boolean,
  tally: Tally,
): Promise<string[]> {
  const hanging = Array.from({ length: TURNS }, () => start(client, [...oneOf(DEEDS), "hang"]));
  const ready = await Promise.all(hanging.map((recording) => recording.received(2)));
  if (ready.includes(false)) return ["a turn does not start"];
  const givenBack = isTaken ? takeFor(server.pid, between(100, 2000)) : Promise.resolve(0);
  const meanwhile = Array.from({ length: TURNS }, () => start(client, []));
  const asked = performance.now();
  const cancels = hanging.map(async ({ turnId }) => {
    await client.cancelTurn({ turnId: turnId! });
    const answered = performance.now();
    const since = Math.max(asked + LADDER_MS, await givenBack);
    const what = isTaken ? "canceled after the ladder, all taken" : "canceled after the ladder";
    const bar = isTaken ? CANCELED_BLINDLY_MS : CANCELED_MS;
    tally.time(what, Math.max(0, answered - since), bar);
  });
  await Promise.all([givenBack, ...cancels]);
  const cuts = await Promise.all([...hanging, ...meanwhile].map(({ over }) => over));
  const faults = cuts.flatMap((cut) => (cut === undefined ? [] : [`cut: ${cut.message}`]));
  for (const recording of hanging) {
    faults.push(...(await faultsOfCanceled(recording)));
  }
  for (const recording of meanwhile) faults.push(...faultsOfMeanwhile(recording, isTaken, tally));
  return faults;
}

function start(client: BreakglassClient, steps: readonly string[]): Recording {
  const { token: _, ...message } = countedRequest((token) => [`say ${token} 1 0`, ...steps]);
  return new Recording(client.runTurn(message));
}

/** Resolves with when the descriptors were given back. */
async function takeFor(pid: number, ms: number): Promise<number> {
  takeDescriptors(pid);
  await delay(ms);
  giveDescriptors(pid);
  return performance.now();
}

async function faultsOfCanceled({ durable }: Recording): Promise<string[]> {
  const faults = faultsOfTurn(durable);
  const [error] = valuesOf(durable, "error");
  if (error?.reason !== ErrorReason.CANCELED) faults.push(`a cancel ended as ${told(error)}`);
  const [session] = valuesOf(durable, "session");
  const left = await survivors(session?.agentSessionId ?? "none", 0);
  killAll(left);
  if (left.length > 0) faults.push(`${left.length} processes are left when it is told to be over`);
  return faults;
}

/** It was run or, where every open failed, not begun. */
function faultsOfMeanwhile({ durable }: Recording, isTaken: boolean, tally: Tally): string[] {
  const faults = faultsOfTurn(durable);
  const [error] = valuesOf(durable, "error");
  if (error === undefined) tally.count("turns run meanwhile", 1);
  else {
    tally.count("turns refused in words", 1);
    const isRight =
      error.reason === ErrorReason.AGENT_START_FAILED && error.message.includes("EMFILE");
    if (!isTaken || !isRight) faults.push(`a turn ended as ${told(error)}`);
  }
  return faults;
}

function told(error: { reason: ErrorReason; message: string } | undefined): string {
  return error === undefined
    ? "a result"
    : `${enumName(ErrorReasonSchema, error.reason)}: ${error.message}`;
}
