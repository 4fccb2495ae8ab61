import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import type { BreakglassClient } from "#client";
import {
  ErrorReason,
  ErrorReasonSchema,
  type TurnEvent,
} from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../../src/enum-name.ts";
import { bytesOf, collect, durable, valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { type RefusalSeen, refusalOf } from "../support/refusals.ts";
import { type FaultServer, startFaultServer } from "./fault-server.ts";
import { createGround, type Ground } from "./ground.ts";
import { faultsOfPart, faultsOfTurn, isEnd } from "./log-rules.ts";
import { between, oneOf } from "./random.ts";
import type { FaultRow } from "./row.ts";
import { makeSmallDisk, mayMount, type SmallDisk } from "./small-disk.ts";
import { countedRequest, StartedTurn, startsOf } from "./started-turn.ts";
import { killAll, LADDER_MS, survivors } from "./survivors.ts";
import { faultsWithin, Tally } from "./trials.ts";

const TRIAL_MS = 90_000;
const ALL_GONE_MS = 15_000;
/** The store is asked again at least each 10 s. */
const RECORDED_MS = 10_000 + 1000;

/** What happens while the disk is full. */
const AFTERWARDS = ["room comes back", "SIGKILL, started again full", "SIGTERM"] as const;
type Afterwards = (typeof AFTERWARDS)[number];

/** The disk gets full while turns run. */
export const diskFull: FaultRow = {
  name: "disk-full",
  fault:
    "disk filled up under running turns (a tmpfs of 4 MiB; RLIMIT_FSIZE), then cleared, the server killed, or shut down",
  bar: "0 corrupt, 0 events delivered but not stored, nothing started that is not recorded, old turns readable, ends recorded once there is room",
  async run(trials) {
    const tally = new Tally();
    for (let made = 0; made < trials; made++) {
      const afterwards = AFTERWARDS[made % AFTERWARDS.length]!;
      await using ground = await createGround();
      const kind = mayMount(ground.root) && made % 4 !== 3 ? "tmpfs" : "file size limit";
      using disk = makeSmallDisk(kind, ground.root);
      const faults = await faultsWithin(TRIAL_MS, () => trial(ground, disk, afterwards, tally));
      tally.count(`trials with a ${kind}`, 1);
      const told = faults.map((fault) => `${kind}, ${afterwards}: ${fault}`);
      tally.trial(told, ground.root);
      if (faults.length > 0) ground.keep();
      killAll(await survivors(ground.root, 0));
    }
    return tally.outcome;
  },
};

/** The turns of a trial: one that ended before the disk got full, and some that run. */
interface TurnsOfTrial {
  readonly old: readonly TurnEvent[];
  readonly running: readonly StartedTurn[];
}

async function trial(
  ground: Ground,
  disk: SmallDisk,
  afterwards: Afterwards,
  tally: Tally,
): Promise<string[]> {
  const sessionsDir = join(ground.root, "sessions");
  const places = { BREAKGLASS_DATA_DIR: disk.dataDir, BREAKGLASS_SESSIONS_DIR: sessionsDir };
  const placed = { ...ground, variables: { ...ground.variables, ...places } };
  await using stack = new AsyncDisposableStack();
  disk.fill();
  const unstarted = await faultsOfStart(placed, disk);
  disk.clear();
  const first = stack.use(await startFaultServer(placed, disk.prefix));
  const turns = await startTurns(first, stack);
  disk.fill(first.pid);
  const faults = await faultsWhileFull(first, ground, turns, disk, tally);
  const delivered = turns.running.flatMap(({ parts }) => parts.map((part) => part.recording));
  tally.count(
    "events delivered",
    delivered.reduce((sum, { durable }) => sum + durable.length, 0),
  );
  let server: FaultServer = first;
  if (afterwards === "room comes back") disk.clear(server.pid);
  else {
    const status = await first.end(afterwards === "SIGTERM" ? "SIGTERM" : "SIGKILL");
    if (afterwards === "SIGTERM" && status !== 0) faults.push(`exit status ${status}`);
    faults.push(...faultsOfStore(ground, disk.dataDir));
    if (afterwards === "SIGTERM") disk.clear();
    server = stack.use(await startFaultServer(placed, disk.prefix));
    if (afterwards !== "SIGTERM") {
      faults.push(...(await faultsOfOld(server, turns)));
      await delay(between(0, 300));
      disk.clear(server.pid);
    }
  }
  const reason =
    afterwards === "room comes back" ? ErrorReason.STORAGE : ErrorReason.SERVER_RESTARTED;
  faults.push(...(await faultsWithRoom(server, ground, turns, reason, tally)));
  await server.end("SIGKILL");
  return [...unstarted, ...faults, ...faultsOfStore(ground, disk.dataDir)];
}

/** Where not even a store can be made, a server tells so in one line, and does not start. */
async function faultsOfStart(ground: Ground, disk: SmallDisk): Promise<string[]> {
  try {
    await using _server = await startFaultServer(ground, disk.prefix);
    return ["a server starts where no store can be made"];
  } catch {
    // The limit of a file's size holds for the log too, of which nothing is left then.
    if (disk.prefix.length > 0) return [];
    const told = readFileSync(join(ground.root, "log"), "utf8");
    // Behind what the log says of the start.
    const isOneLine = /^(\{[^\n]*\n)*[^\n{]*BREAKGLASS_DATA_DIR is [^\n]*\n$/.test(told);
    return isOneLine ? [] : [`a start tells ${told}`];
  }
}

async function startTurns(server: FaultServer, stack: AsyncDisposableStack): Promise<TurnsOfTrial> {
  using connection = connect(server.url);
  const { token: _, ...message } = countedRequest((token) => [`say ${token} 20 0`]);
  const old = durable(await collect(connection.client.runTurn(message)));
  const running = Array.from({ length: between(1, 3) }, () => {
    const steps = (token: string) => [`until /nowhere ${token} ${between(0, 4)}`];
    return stack.use(new StartedTurn(server.url, countedRequest(steps)));
  });
  for (const turn of running) {
    await turn.recording.received(between(2, 40));
    turn.attach();
  }
  return { old, running };
}

async function faultsWhileFull(
  server: FaultServer,
  ground: Ground,
  turns: TurnsOfTrial,
  disk: SmallDisk,
  tally: Tally,
): Promise<string[]> {
  const filled = performance.now();
  const parts = turns.running.flatMap((turn) => turn.parts);
  const cuts = await Promise.all(parts.map(({ recording }) => recording.over));
  const seen = await Promise.all(cuts.map((cut) => cut && refusalOf(Promise.reject(cut))));
  const faults = seen.flatMap((refused) => faultsOfRefusal(refused, "a stream"));
  tally.time("streams ended", performance.now() - filled);
  const left = await survivors(ground.root, ALL_GONE_MS);
  tally.time("agents gone", performance.now() - filled, LADDER_MS + 1000);
  if (left.length > 0) faults.push(`${left.length} processes are left`);
  killAll(left);
  // What the commits that failed gave back is taken too.
  disk.fill(server.pid);
  using connection = connect(server.url);
  const { token, ...message } = countedRequest(() => ["say no 1 0"]);
  const refused = await refusalOf(connection.client.runTurn(message)).catch(() => undefined);
  faults.push(...faultsOfRefusal(refused, "a new turn"));
  const starts = await startsOf(ground.root, { token });
  if (starts.length > 0) faults.push("an agent was started for a turn that is not on record");
  return [...faults, ...(await faultsOfOld(server, turns))];
}

/** The turn that ended before the disk got full can be read all the while. */
async function faultsOfOld(server: FaultServer, { old }: TurnsOfTrial): Promise<string[]> {
  using connection = connect(server.url);
  const { turnId } = old[0]!;
  const again = durable(await collect(connection.client.attachTurn({ turnId })));
  return bytesOf(again).join() === bytesOf(old).join() ? [] : ["an old turn is not as it was"];
}

async function faultsWithRoom(
  server: FaultServer,
  ground: Ground,
  turns: TurnsOfTrial,
  reason: ErrorReason,
  tally: Tally,
): Promise<string[]> {
  using connection = connect(server.url);
  const { client } = connection;
  const cleared = performance.now();
  const faults = await Promise.all(turns.running.map((turn) => faultsOfRun(client, turn, reason)));
  tally.time("ends recorded once there is room", performance.now() - cleared, RECORDED_MS);
  const { sessionId } = oneOf(turns.running).request;
  const { token, ...message } = countedRequest(() => ["say on 1 0"], sessionId);
  const next = durable(await collect(client.runTurn(message)));
  const starts = await startsOf(ground.root, { token });
  return [
    ...faults.flat(),
    ...(await faultsOfOld(server, turns)),
    ...faultsOfTurn(next),
    ...(valuesOf(next, "result").length === 1 && starts.length === 1 ? [] : ["no new turn runs"]),
  ];
}

/** A turn whose disk got full is whole: what was delivered, and one end. */
async function faultsOfRun(
  client: BreakglassClient,
  { parts, recording }: StartedTurn,
  reason: ErrorReason,
): Promise<string[]> {
  const turnId = recording.turnId!;
  const read = () => eventsSoFar(client, turnId);
  const turn = await eventually(read, (events) => events.some(isEnd), 2 * RECORDED_MS);
  const [error] = valuesOf(turn, "error");
  const ended = error === undefined ? "no error" : enumName(ErrorReasonSchema, error.reason);
  return [
    ...faultsOfTurn(turn),
    ...parts.flatMap(({ after, recording }) => faultsOfPart(recording.durable, after, turn)),
    ...(error?.reason === reason ? [] : [`it ended with ${ended}`]),
  ].map((fault) => `${turnId} ${fault}`);
}

/** What a turn has on record; its stream may end for want of a store that takes its end. */
async function eventsSoFar(client: BreakglassClient, turnId: string): Promise<TurnEvent[]> {
  const events: TurnEvent[] = [];
  try {
    for await (const { event } of client.attachTurn({ turnId })) if (event) events.push(event);
  } catch {
    // The next look tells more.
  }
  return durable(events);
}

/** What SQLite finds wrong with the store, looked at in a copy: its own disk may have no room for a look. */
function faultsOfStore({ root }: Ground, dataDir: string): string[] {
  const copy = join(root, "copy");
  cpSync(dataDir, copy, { recursive: true });
  const database = new DatabaseSync(join(copy, "breakglass.db"));
  const found = database.prepare("PRAGMA integrity_check").all();
  database.close();
  rmSync(copy, { recursive: true });
  return found
    .map((row) => String(row.integrity_check))
    .filter((told) => told !== "ok")
    .map((told) => `the store is corrupt: ${told}`);
}

function faultsOfRefusal(refused: RefusalSeen | undefined, what: string): string[] {
  const isRight = refused?.code === "Unavailable" && refused.reason === "STORAGE";
  const got = refused === undefined ? "ended well" : `got ${refused.code} ${refused.reason}`;
  return isRight ? [] : [`${what} ${got}, not UNAVAILABLE STORAGE`];
}
