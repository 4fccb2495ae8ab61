import { join } from "node:path";
import { ExitStatus } from "../../../src/commands/exit-status.ts";
import { collect, durable, valuesOf } from "../../support/events.ts";
import { faultsOfPart, faultsOfTurn } from "../log-rules.ts";
import { between, oneOf } from "../random.ts";
import { countedRequest, StartedTurn } from "../started-turn.ts";
import { faultsWithin, type Tally } from "../trials.ts";
import { type DatabaseWay, startDatabaseWay } from "./database-way.ts";
import { postgresRow, startFaultDatabase } from "./fault-database.ts";
import { FaultReplica, LEASE_MS } from "./fault-replica.ts";

const TRIAL_MS = 180_000;
const PAUSE_MS = 50;

/** The home of a session sees no database, and the others do. */
export const partition = postgresRow(
  {
    name: "partition",
    fault:
      "a session's home cut off from the database (refused, or nothing passes), another replica not; the session goes on there",
    bar: "no agent of the turn lives when others say that it is lost; one end, 0 events behind it; the home ends by itself when it hears of it",
  },
  async (trials, tally, bin) => {
    await using database = await startFaultDatabase(bin);
    await using way = await startDatabaseWay(database.cluster.port);
    const store = new URL(database.url);
    store.port = String(way.port);
    await using home = await FaultReplica.start(store.href);
    await using other = await FaultReplica.start(database.url);
    for (let trial = 0; trial < trials; trial++) {
      const faults = await faultsWithin(TRIAL_MS, () => partOnce(home, other, way, tally));
      way.open();
      tally.trial(faults, `${home.ground.root}, ${other.ground.root}`);
      if (faults.length > 0) for (const { ground } of [home, other]) ground.keep();
      await home.kill();
      await home.again();
    }
  },
);

async function partOnce(home: FaultReplica, other: FaultReplica, way: DatabaseWay, tally: Tally) {
  const never = (token: string) => [
    `until ${join(home.ground.root, "never")} ${token} ${PAUSE_MS}`,
  ];
  const request = countedRequest(never);
  using turn = new StartedTurn(home.url, request);
  await turn.recording.received(between(3, 10));
  const { turnId } = turn.recording;
  if (turnId === undefined) return [`refused: ${(await turn.recording.over)?.message}`];
  const parted = performance.now();
  if (oneOf([true, false])) way.refuse();
  else way.silence();
  const events = durable(await collect(other.client.attachTurn({ turnId })));
  const { length: living } = home.agents;
  tally.time("lost for others", performance.now() - parted, LEASE_MS + 2000);
  const { token: _, ...message } = countedRequest(
    (token) => [`say ${token} 1 0`],
    request.sessionId,
  );
  const next = durable(await collect(other.client.runTurn(message)));
  way.open();
  const status = await home.ended();
  await turn.over();
  const later = durable(await collect(other.client.attachTurn({ turnId })));
  return [
    ...(living === 0 ? [] : [`${living} processes of its agent lived when the turn was lost`]),
    ...faultsOfTurn(events),
    ...faultsOfPart(turn.recording.durable, 0, events),
    ...(later.length === events.length ? [] : [`it has ${later.length - events.length} more`]),
    ...faultsOfTurn(next),
    ...(valuesOf(next, "result")[0]?.isError === false ? [] : ["the next turn fails"]),
    ...(status === ExitStatus.fenced ? [] : [`its home ended with ${status}`]),
  ];
}
