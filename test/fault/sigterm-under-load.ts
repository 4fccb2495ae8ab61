import { setTimeout as delay } from "node:timers/promises";
import type { ConnectError } from "@connectrpc/connect";
import type { BreakglassClient } from "#client";
import { ErrorReason, ErrorReasonSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../../src/enum-name.ts";
import { collect, durable, valuesOf } from "../support/events.ts";
import { connect } from "../support/protocols.ts";
import { type RefusalSeen, refusalOf } from "../support/refusals.ts";
import { type FaultServer, startFaultServer } from "./fault-server.ts";
import { createGround, type Ground } from "./ground.ts";
import { isDeaf } from "./kill-moments.ts";
import { faultsOfPart, faultsOfTurn } from "./log-rules.ts";
import { between } from "./random.ts";
import type { Recording } from "./recording.ts";
import type { FaultRow } from "./row.ts";
import { countedRequest, StartedTurn, startsOf } from "./started-turn.ts";
import { GONE_AFTER_START_MS, killAll, survivors } from "./survivors.ts";
import { faultsWithin, Tally } from "./trials.ts";

const TRIAL_MS = 90_000;
const GRACE_MS = 2000;
/** The ladder and what streams get to deliver come after the grace. */
const EXIT_MS = GRACE_MS + 15_000;
const HURRIED_EXIT_MS = 2000;
const ALL_GONE_MS = 15_000;
const SETTINGS = { BREAKGLASS_DRAIN_SECONDS: String(GRACE_MS / 1000) };

/** SIGTERM while turns run and readers read; in every second trial another one follows. */
export const sigtermUnderLoad: FaultRow = {
  name: "sigterm-under-load",
  fault: "SIGTERM under running turns and their readers; in every second trial another SIGTERM",
  bar: "every stream ends with a resume point, new turns are refused, results within the grace count, exit 0 within the deadline (2 s after a second SIGTERM), 0 survivors",
  async run(trials) {
    const tally = new Tally();
    for (let made = 0; made < trials; made++) {
      await using ground = await createGround(SETTINGS);
      const isHurried = made % 2 === 1;
      const faults = await faultsWithin(TRIAL_MS, () => trial(ground, isHurried, tally));
      const told = faults.map((fault) => `${isHurried ? "two SIGTERM" : "SIGTERM"}: ${fault}`);
      tally.trial(told, ground.root);
      if (faults.length > 0) ground.keep();
      killAll(await survivors(ground.root, 0));
    }
    return tally.outcome;
  },
};

async function trial(ground: Ground, isHurried: boolean, tally: Tally): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startFaultServer(ground));
  const turns = await startTurns(server, stack);
  using connection = connect(server.url);
  const asked = performance.now();
  const exited = server.end("SIGTERM");
  const faults = isHurried
    ? await hurry(server, exited, tally)
    : await drain(connection.client, ground, exited, tally);
  if (!isHurried) tally.time("exit after SIGTERM", performance.now() - asked, EXIT_MS);
  await Promise.all(turns.map((turn) => turn.over()));
  if (!isHurried) {
    const parts = turns.flatMap((turn) => turn.parts);
    const ends = await Promise.all(parts.map(({ recording }) => faultsOfStreamEnd(recording)));
    const left = await survivors(ground.root, 0);
    faults.push(...ends.flat());
    if (left.length > 0)
      faults.push(`${left.length} processes are left when the server has exited`);
  }
  const again = stack.use(await startFaultServer(ground));
  const served = performance.now();
  const left = await survivors(ground.root, ALL_GONE_MS);
  if (isHurried) tally.time("orphans gone", performance.now() - served, GONE_AFTER_START_MS);
  killAll(left);
  if (left.length > 0) faults.push(`${left.length} processes are left after the next start`);
  using later = connect(again.url);
  const ofTurns = turns.map((turn) => faultsOfDrainedTurn(later.client, turn, isHurried));
  return [...faults, ...(await Promise.all(ofTurns)).flat()];
}

/** Six turns and twice as many readers: two turns end within the grace, two go on, two do not heed anything. */
async function startTurns(
  server: FaultServer,
  stack: AsyncDisposableStack,
): Promise<StartedTurn[]> {
  const steps = [
    (token: string) => [`say ${token} ${between(40, 60)} 20`],
    (token: string) => [`say ${token} 20 1`, "hang"],
    (token: string) => ["deaf", "child", "orphan", `until /nowhere ${token} 10`],
  ];
  const turns = [...steps, ...steps].map((each) =>
    stack.use(new StartedTurn(server.url, countedRequest(each))),
  );
  for (const turn of turns) {
    await turn.recording.received(3);
    turn.attach();
  }
  return turns;
}

/** What is wrong while the server drains, up to its exit. */
async function drain(
  client: BreakglassClient,
  ground: Ground,
  exited: Promise<number | null>,
  tally: Tally,
): Promise<string[]> {
  const faults: string[] = [];
  await delay(300);
  const { token, ...message } = countedRequest(() => ["say no 1 0"]);
  const refused = await refusalOf(client.runTurn(message)).catch(() => undefined);
  if (refused?.reason !== "DRAINING") faults.push(`a new turn gets ${JSON.stringify(refused)}`);
  const starts = await startsOf(ground.root, { token });
  if (starts.length > 0) faults.push("an agent was started for a turn that was refused");
  const status = await exited;
  if (status !== 0) faults.push(`exit status ${status}`);
  tally.count("drained", 1);
  return faults;
}

/** Sends a second SIGTERM, and waits for the exit that follows at once. */
async function hurry(
  server: FaultServer,
  exited: Promise<number | null>,
  tally: Tally,
): Promise<string[]> {
  // Sooner it would be taken for the first one.
  await delay(between(1050, 1900));
  const asked = performance.now();
  process.kill(server.pid, "SIGTERM");
  await exited;
  tally.time("exit after a second SIGTERM", performance.now() - asked, HURRIED_EXIT_MS);
  return [];
}

/** A stream under a drain ends with its turn, or tells where to go on. */
async function faultsOfStreamEnd(recording: Recording): Promise<string[]> {
  const cut = await recording.over;
  if (cut === undefined && recording.hasEnd) return [];
  const { reason, metadata } = await seen(cut);
  const { turnId } = recording;
  const last = recording.durable.at(-1)?.sequence;
  const tellsWhere = metadata?.turn_id === turnId && metadata?.sequence === String(last ?? 0);
  if (reason === "STREAM_ENDED" && tellsWhere) return [];
  return [`the stream of ${turnId} ends after ${last} with ${reason ?? cut?.message ?? "nothing"}`];
}

async function seen(cut: ConnectError | undefined): Promise<Partial<RefusalSeen>> {
  return cut === undefined ? {} : refusalOf(Promise.reject(cut));
}

async function faultsOfDrainedTurn(
  client: BreakglassClient,
  { request, parts, recording }: StartedTurn,
  isHurried: boolean,
): Promise<string[]> {
  const turnId = recording.turnId!;
  const turn = durable(await collect(client.attachTurn({ turnId })));
  const [error] = valuesOf(turn, "error");
  const isShort = !isDeaf(request) && !request.prompt.includes("hang");
  const may: ErrorReason[] = [ErrorReason.SERVER_SHUTDOWN];
  if (isHurried) may.push(ErrorReason.SERVER_RESTARTED);
  const faults = [
    ...faultsOfTurn(turn),
    ...parts.flatMap(({ after, recording }) => faultsOfPart(recording.durable, after, turn)),
  ];
  if (error === undefined && !isShort) faults.push("has a result");
  if (error !== undefined && (!may.includes(error.reason) || (isShort && !isHurried))) {
    faults.push(`ended with ${enumName(ErrorReasonSchema, error.reason)}: ${error.message}`);
  }
  return faults.map((fault) => `${turnId} ${fault}`);
}
