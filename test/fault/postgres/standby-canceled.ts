import { setTimeout as delay } from "node:timers/promises";
import { openPostgres } from "../../../src/store/postgres/postgres-store.ts";
import { type OwnedStore, owned } from "../../support/owned-store.ts";
import { oneOf } from "../random.ts";
import { faultsWithin } from "../trials.ts";
import { type FaultDatabase, postgresRow, SILENT, startFaultDatabase } from "./fault-database.ts";
import { eventOf, faultsOfEvents, startTurns } from "./stored-turns.ts";

const TRIAL_MS = 60_000;
/** What was wrongly acknowledged is told by then. */
const SETTLED_MS = 50;
const WAITING = `pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE 'breakglass writer%'`;
/** How a wait ends: the commit is answered with a warning, or not at all. */
const ENDINGS = ["pg_cancel_backend", "pg_terminate_backend"];

/** A commit is on the primary alone, and who waits for it is told that it is there. */
export const standbyCanceled = postgresRow(
  {
    name: "standby-canceled",
    fault:
      "a commit's wait for its synchronous standby canceled, or its connection killed; the standby is there later",
    bar: "nothing is acknowledged before a standby could have it; then all of it, once",
  },
  async (trials, tally, bin) => {
    await using database = await startFaultDatabase(bin);
    const opened = await openPostgres([database.host], SILENT);
    const store = owned(await opened.openStore("one"));
    const [turnId] = await startTurns(store, 1);
    await store.append(eventOf(turnId!, 1));
    let last = 1;
    for (let trial = 0; trial < trials; trial++) {
      const faults = await faultsWithin(TRIAL_MS, async () => {
        const found = await cancelOnce(database, store, turnId!, last);
        last = found.last;
        return found.faults;
      });
      tally.trial(faults, "its turns");
      if (faults.length > 0) break;
    }
    tally.count("events", last);
    await opened.close();
  },
);

async function cancelOnce(
  database: FaultDatabase,
  store: OwnedStore,
  turnId: string,
  before: number,
) {
  const { cluster } = database;
  await setSynchronous(database, "nobody");
  let last = before;
  let isTold = true;
  let appended = Promise.resolve();
  // It takes the database a moment to heed what was set.
  while (isTold) {
    isTold = false;
    appended = store.append(eventOf(turnId, ++last)).then(() => {
      isTold = true;
    });
    while (!isTold && !(await isThere(database, WAITING))) await delay(5);
  }
  await cluster.query(`SELECT ${oneOf(ENDINGS)}(pid) FROM ${WAITING}`);
  while (!(await isThere(database, `events WHERE turn_id = '${turnId}' AND sequence = ${last}`))) {
    await delay(5);
  }
  await delay(SETTLED_MS);
  const faults = isTold ? [`event ${last} was acknowledged, and no standby has it`] : [];
  await setSynchronous(database, "");
  await appended;
  faults.push(...(await faultsOfEvents(store, turnId, last)));
  return { last, faults };
}

async function setSynchronous({ cluster }: FaultDatabase, names: string): Promise<void> {
  await cluster.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
  await cluster.query("SELECT pg_reload_conf()");
}

async function isThere(database: FaultDatabase, from: string): Promise<boolean> {
  return (await database.query(`SELECT 1 FROM ${from}`)).length > 0;
}
