import { setTimeout as delay } from "node:timers/promises";
import { valuesOf } from "../../support/events.ts";
import { faultsOfPart, faultsOfTurn } from "../log-rules.ts";
import { between, oneOf } from "../random.ts";
import { type CountedRequest, countedRequest, StartedTurn, startsOf } from "../started-turn.ts";
import { faultsWithin, type Tally } from "../trials.ts";
import { postgresRow, startFaultDatabase } from "./fault-database.ts";
import { FaultReplica } from "./fault-replica.ts";

const TRIAL_MS = 120_000;
const REPLICAS = 3;
const ASKERS_OF_EACH = 2;
/** Trials where nobody is killed: to start a replica takes longer than all else. */
const CALM_TRIALS = 4;
const LATEST_MS = 150;

/** One request reaches all replicas at once. */
export const sameRequestEverywhere = postgresRow(
  {
    name: "same-request",
    fault:
      "runs with one request_id at three replicas at once; one of the replicas killed in the middle, started again, and all asked again",
    bar: "one turn, its agent started once, all streams the same bytes",
  },
  async (trials, tally, bin) => {
    await using database = await startFaultDatabase(bin);
    await using replicas = new AsyncDisposableStack();
    const started = Array.from({ length: REPLICAS }, () => FaultReplica.start(database.url));
    const all = (await Promise.all(started)).map((replica) => replicas.use(replica));
    for (let trial = 0; trial < trials; trial++) {
      const isKilled = trial % CALM_TRIALS === 0;
      const faults = await faultsWithin(TRIAL_MS, () => askOnce(all, isKilled, tally));
      tally.trial(faults, all.map(({ ground }) => ground.root).join(", "));
      if (faults.length > 0) for (const { ground } of all) ground.keep();
    }
  },
);

async function askOnce(all: readonly FaultReplica[], isKilled: boolean, tally: Tally) {
  const request = countedRequest((token) => [`say ${token} ${between(1, 30)} ${between(0, 5)}`]);
  using asked = new DisposableStack();
  const before = ask(all, request, asked);
  if (isKilled) {
    await delay(between(0, LATEST_MS));
    const killed = oneOf(all);
    await killed.kill();
    await killed.again();
    tally.count("kills", 1);
  }
  await Promise.all(before.map((turn) => turn.over()));
  const after = isKilled ? ask(all, request, asked) : [];
  await Promise.all(after.map((turn) => turn.over()));
  tally.count("requests", before.length + after.length);
  return faultsOf(all, request, before, after);
}

function ask(all: readonly FaultReplica[], request: CountedRequest, asked: DisposableStack) {
  return all.flatMap(({ url }) =>
    Array.from({ length: ASKERS_OF_EACH }, () => asked.use(new StartedTurn(url, request))),
  );
}

/** @param after - Those who asked when all were there again. Empty: all were all the time. */
async function faultsOf(
  all: readonly FaultReplica[],
  request: CountedRequest,
  before: readonly StartedTurn[],
  after: readonly StartedTurn[],
): Promise<string[]> {
  const whole = after.length > 0 ? after : before;
  const turn = whole[0]!.recording.durable;
  const faults = faultsOfTurn(turn);
  for (const { recording } of whole) {
    const cut = await recording.over;
    if (cut !== undefined) faults.push(`a stream was cut: ${cut.message}`);
    else if (recording.durable.length !== turn.length) faults.push("a stream is shorter");
  }
  const recordings = [...before, ...after].map(({ recording }) => recording);
  for (const { durable } of recordings) faults.push(...faultsOfPart(durable, 0, turn));
  const ids = new Set(recordings.flatMap(({ turnId }) => turnId ?? []));
  if (ids.size !== 1) faults.push(`there are ${ids.size} turns: ${[...ids].join(", ")}`);
  const starts = await Promise.all(all.map(({ ground }) => startsOf(ground.root, request)));
  const { length } = starts.flat();
  const ran = valuesOf(turn, "text").length > 0;
  if (length > 1 || (ran && length === 0)) faults.push(`the agent was started ${length} times`);
  return faults;
}
