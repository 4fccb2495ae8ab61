import { setTimeout as delay } from "node:timers/promises";
import { openPostgres } from "../../../src/store/postgres/postgres-store.ts";
import { type Cluster, startCluster, USER } from "../../postgres/cluster.ts";
import { hostOf } from "../../postgres/databases.ts";
import { owned } from "../../support/owned-store.ts";
import { SUCCEEDED } from "../../support/turn-start.ts";
import { between } from "../random.ts";
import { faultsWithin, type Tally } from "../trials.ts";
import { postgresRow, SILENT } from "./fault-database.ts";
import { eventOf, faultsOfEvents, startTurns } from "./stored-turns.ts";

const DATABASE = "followed";
const TURNS = 20;
const TRIAL_MS = 120_000;

/** The machine of the primary is lost, and its synchronous standby takes its place. */
export const primaryKilled = postgresRow(
  {
    name: "primary-killed",
    fault:
      "primary killed (immediate shutdown) under the load of 20 turns flat out, its synchronous standby promoted",
    bar: "0 acknowledged events lost, 0 doubled, 0 gaps; turns go on",
  },
  async (trials, tally, bin) => {
    let primary = await startCluster(bin);
    try {
      await primary.query(`CREATE DATABASE ${DATABASE} OWNER ${USER}`);
      for (let trial = 0; trial < trials; trial++) {
        const faults = await faultsWithin(TRIAL_MS, async () => {
          const standby = await followed(bin, primary);
          const found = await killOnce(primary, standby, tally);
          await primary[Symbol.asyncDispose]();
          primary = standby;
          return found;
        });
        tally.trial(faults, "its turns");
      }
    } finally {
      await primary[Symbol.asyncDispose]();
    }
  },
);

/** Starts a standby that every commit waits for from then on. */
async function followed(bin: string, primary: Cluster): Promise<Cluster> {
  // What it copies of the settings is its own when it is the primary: it has nobody to wait for then.
  await setSynchronous(primary, "");
  const standby = await startCluster(bin, {}, primary);
  await setSynchronous(primary, "*");
  const streaming = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
  while ((await primary.query(streaming)).length === 0) await delay(50);
  return standby;
}

async function setSynchronous(cluster: Cluster, names: string): Promise<void> {
  await cluster.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
  await cluster.query("SELECT pg_reload_conf()");
}

async function killOnce(primary: Cluster, standby: Cluster, tally: Tally): Promise<string[]> {
  const hosts = [standby, primary].map((one) => hostOf(one.urlOf(DATABASE)));
  const opened = await openPostgres(hosts, SILENT);
  const store = owned(await opened.openStore("one"));
  const turnIds = await startTurns(store, TURNS);
  let isOver = false;
  let acknowledged = 0;
  const run = async (turnId: string) => {
    let last = 0;
    while (!isOver) {
      await store.append(eventOf(turnId, ++last));
      acknowledged++;
    }
    await store.append({ ...eventOf(turnId, ++last), end: SUCCEEDED });
    return last;
  };
  const fail = async () => {
    await delay(between(200, 1000));
    await primary.stop("SIGQUIT");
    const before = acknowledged;
    tally.count("events acknowledged by the one that was lost", before);
    const lost = performance.now();
    await standby.query("SELECT pg_promote()");
    while (acknowledged === before) await delay(10);
    tally.time("recorded again", performance.now() - lost);
    await delay(between(0, 200));
    isOver = true;
  };
  const [lasts] = await Promise.all([Promise.all(turnIds.map(run)), fail()]);
  const faults: string[] = [];
  for (const [index, turnId] of turnIds.entries()) {
    faults.push(...(await faultsOfEvents(store, turnId, lasts[index]!)));
  }
  await opened.close();
  return faults;
}
