import { setTimeout as delay } from "node:timers/promises";
import { TurnState, TurnStateSchema } from "../../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../../../src/enum-name.ts";
import { bytesOf, collect, durable, valuesOf } from "../../support/events.ts";
import { faultsOfPart, faultsOfTurn } from "../log-rules.ts";
import { between } from "../random.ts";
import { countedRequest, StartedTurn, startsOf } from "../started-turn.ts";
import { faultsWithin, type Tally } from "../trials.ts";
import { postgresRow, startFaultDatabase } from "./fault-database.ts";
import { FaultReplica, LEASE_MS } from "./fault-replica.ts";

const TRIAL_MS = 120_000;
const UP_MS = 2000;
const TAKEN_OVER_MS = LEASE_MS + 2000;
const MOST_TURNS = 3;

/** A replica is lost in the middle of turns, and comes back on its disk or does not. */
export const replicaKilled = postgresRow(
  {
    name: "replica-killed",
    fault:
      "one of two replicas killed (SIGKILL) at a random moment of running turns; started again on its disk, or its sessions used elsewhere",
    bar: "0 lost, 0 doubled, one end a turn, no agent started twice; serving again within 2 s, ended elsewhere within the lease and 2 s",
  },
  async (trials, tally, bin) => {
    await using database = await startFaultDatabase(bin);
    await using one = await FaultReplica.start(database.url);
    await using other = await FaultReplica.start(database.url);
    for (let trial = 0; trial < trials; trial++) {
      const isBack = trial % 2 === 0;
      const faults = await faultsWithin(TRIAL_MS, () => killOnce(one, other, isBack, tally));
      tally.trial(faults, `${one.ground.root}, ${other.ground.root}`);
      if (faults.length > 0) for (const { ground } of [one, other]) ground.keep();
    }
  },
);

async function killOnce(one: FaultReplica, other: FaultReplica, isBack: boolean, tally: Tally) {
  const turns = Array.from({ length: between(1, MOST_TURNS) }, () => {
    const steps = (token: string) => [`say ${token} 400 ${between(2, 20)}`];
    return new StartedTurn(one.url, countedRequest(steps));
  });
  await Promise.all(turns.map(({ recording }) => recording.received(1)));
  await turns[0]!.recording.received(between(1, 30));
  await delay(between(0, 20));
  await one.kill();
  const killed = performance.now();
  await Promise.all(turns.map((turn) => turn.over()));
  if (isBack) tally.time("serving again on its disk", await one.again(), UP_MS);
  const faults = await Promise.all(turns.map((turn) => faultsOf(turn, other, tally)));
  if (!isBack) {
    tally.time("ended elsewhere", performance.now() - killed, TAKEN_OVER_MS);
    faults.push(await faultsOfNext(turns[0]!, other));
    await one.again();
  }
  for (const turn of turns) {
    const { length: starts } = await startsOf(one.ground.root, turn.request);
    if (starts !== 1) faults.push([`an agent was started ${starts} times`]);
    turn[Symbol.dispose]();
  }
  return faults.flat();
}

/** What is wrong with a turn of a replica that was killed, read to its end at another. */
async function faultsOf({ recording }: StartedTurn, { client }: FaultReplica, tally: Tally) {
  const { turnId } = recording;
  if (turnId === undefined) return [`the request was refused: ${(await recording.over)?.message}`];
  const events = durable(await collect(client.attachTurn({ turnId })));
  const again = durable(await collect(client.attachTurn({ turnId })));
  const { turn } = await client.getTurn({ turnId });
  tally.count("events received before", recording.durable.length);
  const { state = TurnState.UNSPECIFIED, lastSequence } = turn ?? {};
  const ends: TurnState[] = recording.hasEnd
    ? [TurnState.SUCCEEDED]
    : [TurnState.LOST, TurnState.SUCCEEDED];
  return [
    ...faultsOfTurn(events),
    ...faultsOfPart(recording.durable, 0, events),
    ...(bytesOf(again).join() === bytesOf(events).join() ? [] : ["two replays are not the same"]),
    ...(ends.includes(state) ? [] : [`it is ${enumName(TurnStateSchema, state)}`]),
    ...(lastSequence === events.length ? [] : [`its last is ${lastSequence}`]),
  ].map((fault) => `turn ${turnId}: ${fault}`);
}

/** What is wrong with the next turn of a session whose home is gone. */
async function faultsOfNext({ request }: StartedTurn, { client, ground }: FaultReplica) {
  const { token, ...message } = countedRequest((said) => [`say ${said} 1 0`], request.sessionId);
  const events = durable(await collect(client.runTurn(message)));
  const faults = faultsOfTurn(events);
  if (valuesOf(events, "result")[0]?.isError !== false) faults.push("it fails");
  if ((await startsOf(ground.root, { token })).length !== 1) faults.push("its agent is not there");
  return faults.map((fault) => `the next turn of session ${request.sessionId}: ${fault}`);
}
