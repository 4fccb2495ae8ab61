import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TurnState, TurnStateSchema } from "../../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../../../src/enum-name.ts";
import { collect, durable, valuesOf } from "../../support/events.ts";
import { faultsOfPart, faultsOfTurn } from "../log-rules.ts";
import { between, oneOf } from "../random.ts";
import { countedRequest, StartedTurn } from "../started-turn.ts";
import { survivors } from "../survivors.ts";
import { faultsWithin, type Tally, Turnstile } from "../trials.ts";
import { type DatabaseWay, startDatabaseWay } from "./database-way.ts";
import { type FaultDatabase, postgresRow, startFaultDatabase } from "./fault-database.ts";
import { FaultReplica } from "./fault-replica.ts";

const LANES = 4;
const TRIAL_MS = 180_000;
const [GRACE_SECONDS, LEASE_SECONDS] = [12, 22];
const SETTINGS = {
  BREAKGLASS_LEASE_GRACE_SECONDS: String(GRACE_SECONDS),
  BREAKGLASS_LEASE_SECONDS: String(LEASE_SECONDS),
};
const PAUSE_MS = 50;
/** What is left then is left for good, however busy the machine is. */
const GONE_MS = 60_000;
/** A server on a busy machine may take so long to connect again that its grace is over: that is no database away for short. */
const SHORT_MS = (GRACE_SECONDS - 2) * 1000;

/** The database cannot be reached for a while. */
export const databaseAway = postgresRow(
  {
    name: "database-away",
    fault:
      "database away (connections refused, or nothing passes) for half the grace, and for twice the grace, while a turn runs",
    bar: "half: the turn goes on, 0 events lost, doubled or missing; twice: agents stopped within the lease, one end, the session goes on",
  },
  async (trials, tally, bin) => {
    await using database = await startFaultDatabase(bin);
    const turnstile = new Turnstile(trials);
    let made = 0;
    const lanes = Array.from({ length: Math.min(LANES, trials) }, () =>
      runLane(database, tally, () => (turnstile.take() ? made++ : undefined)),
    );
    await Promise.all(lanes);
  },
);

async function runLane(database: FaultDatabase, tally: Tally, take: () => number | undefined) {
  await using way = await startDatabaseWay(database.cluster.port);
  const store = new URL(database.url);
  store.port = String(way.port);
  await using replica = await FaultReplica.start(store.href, SETTINGS);
  for (let trial = take(); trial !== undefined; trial = take()) {
    const isLong = trial % 2 === 1;
    const faults = await faultsWithin(TRIAL_MS, () => {
      return isLong ? awayForLong(replica, way, tally) : awayForShort(replica, way, tally);
    });
    way.open();
    const kind = isLong ? "away for long: " : "away for short: ";
    tally.trial(
      faults.map((fault) => kind + fault),
      replica.ground.root,
    );
    if (faults.length > 0) replica.ground.keep();
  }
}

function takeAway(way: DatabaseWay): void {
  if (oneOf([true, false])) way.refuse();
  else way.silence();
}

async function begin(replica: FaultReplica) {
  const request = countedRequest((token) => [
    `until ${join(replica.ground.root, token)} ${token} ${PAUSE_MS}`,
  ]);
  const turn = new StartedTurn(replica.url, request);
  await turn.recording.received(between(3, 10));
  const { turnId } = turn.recording;
  if (turnId === undefined) throw new Error(`refused: ${(await turn.recording.over)?.message}`);
  const release = () => writeFile(join(replica.ground.root, request.token), "");
  return { turn, turnId, request, release, [Symbol.dispose]: () => turn[Symbol.dispose]() };
}

async function awayForShort(replica: FaultReplica, way: DatabaseWay, tally: Tally) {
  using begun = await begin(replica);
  const { turn, turnId, release } = begun;
  const away = performance.now();
  takeAway(way);
  await delay((GRACE_SECONDS * 1000) / 2);
  way.open();
  const isBack = turn.recording.received(turn.recording.durable.length + 1);
  await Promise.race([isBack, turn.over()]);
  const awayMs = performance.now() - away;
  await release();
  await turn.over();
  if (awayMs > SHORT_MS) {
    tally.count("short ones that the machine made long, not judged", 1);
    return [];
  }
  const events = durable(await collect(replica.client.attachTurn({ turnId })));
  tally.count("events", events.length);
  // The agent counts what it says: what is missing between is seen.
  const numbers = valuesOf(events, "text").map(({ text }) => Number(text.split(" ")[1]));
  const isWhole = numbers.every((number, index) => number === index + 1);
  return [
    ...faultsOfTurn(events),
    ...faultsOfPart(turn.recording.durable, 0, events),
    ...(isWhole ? [] : ["texts are missing, or twice there"]),
    ...(valuesOf(events, "result").length === 1 ? [] : ["the turn did not end well"]),
  ];
}

async function awayForLong(replica: FaultReplica, way: DatabaseWay, tally: Tally) {
  using begun = await begin(replica);
  const { turn, turnId, request } = begun;
  const away = performance.now();
  takeAway(way);
  const left = await survivors(replica.ground.root, GONE_MS);
  tally.time("agents stopped", performance.now() - away, LEASE_SECONDS * 1000);
  await delay(Math.max(0, GRACE_SECONDS * 2000 - (performance.now() - away)));
  way.open();
  await turn.over();
  const events = durable(await collect(replica.client.attachTurn({ turnId })));
  const { turn: record } = await replica.client.getTurn({ turnId });
  const next = countedRequest((token) => [`say ${token} 1 0`], request.sessionId);
  const { token: _, ...message } = next;
  const after = durable(await collect(replica.client.runTurn(message)));
  return [
    ...(left.length === 0 ? [] : [`${left.length} processes are left`]),
    ...faultsOfTurn(events),
    ...faultsOfPart(turn.recording.durable, 0, events),
    ...(record?.state === TurnState.FAILED
      ? []
      : [`the turn is ${enumName(TurnStateSchema, record!.state)}`]),
    ...faultsOfTurn(after),
    ...(valuesOf(after, "result")[0]?.isError === false ? [] : ["the next turn fails"]),
  ];
}
