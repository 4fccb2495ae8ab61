import { setTimeout as delay } from "node:timers/promises";
import { createLog } from "../../../src/log.ts";
import { openPostgres } from "../../../src/store/postgres/postgres-store.ts";
import { type OwnedStore, owned } from "../../support/owned-store.ts";
import { SUCCEEDED } from "../../support/turn-start.ts";
import { between, chance } from "../random.ts";
import type { Tally } from "../trials.ts";
import { type DatabaseWay, startDatabaseWay } from "./database-way.ts";
import {
  type FaultDatabase,
  postgresRow,
  SLOW_COMMITS,
  startFaultDatabase,
} from "./fault-database.ts";
import { eventOf, faultsOfEvents, startTurns } from "./stored-turns.ts";

const TURNS = 20;
/** What is looked at all together when so many connections were killed. */
const KILLS_OF_A_ROUND = 25;
/** So many events at most are recorded between two kills, and so long is waited then: most hit a commit that is under way. */
const MOST_EVENTS = 60;
const LATEST_MS = 8;
/** Of what is appended, so much is more than events: it is committed, and asked about, in another way. */
const AUDITED_SHARE = 0.005;
const KILL = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name LIKE 'breakglass %' AND datname = current_database()`;

/** The database ends connections while turns are recorded over them. */
export const connectionKilled = postgresRow(
  {
    name: "connection-killed",
    fault:
      "the server's connections killed (pg_terminate_backend) or reset on their way at random moments, 20 turns flat out",
    bar: "0 events or audit records lost, doubled, or missing between others",
  },
  async (trials, tally, bin) => {
    await using database = await startFaultDatabase(bin, SLOW_COMMITS);
    await using way = await startDatabaseWay(database.cluster.port);
    const log = createLog(countDoubts(tally));
    const opened = await openPostgres([{ ...database.host, port: way.port }], log);
    const store = owned(await opened.openStore("one"));
    for (let left = trials; left > 0; left -= KILLS_OF_A_ROUND) {
      const kills = Math.min(left, KILLS_OF_A_ROUND);
      const faults = await killSome(database, way, store, kills, tally);
      for (let kill = 0; kill < kills; kill++) tally.trial(kill === 0 ? faults : [], "its turns");
    }
    await opened.close();
  },
);

/** Counts the commits whose answer was lost. */
function countDoubts(tally: Tally): (line: string) => void {
  return (line) => {
    const { isThere } = JSON.parse(line) as { isThere?: boolean };
    if (isThere !== undefined)
      tally.count(`commits in doubt that were ${isThere ? "" : "not "}there`, 1);
  };
}

async function killSome(
  database: FaultDatabase,
  way: DatabaseWay,
  store: OwnedStore,
  kills: number,
  tally: Tally,
): Promise<string[]> {
  const turnIds = await startTurns(store, TURNS);
  let isOver = false;
  let audited = 0;
  let acknowledged = 0;
  const before = await countAudit(database);
  const run = async (turnId: string) => {
    let last = 0;
    while (!isOver) {
      const more = chance(AUDITED_SHARE)
        ? { audit: [{ kind: "tools_called" as const, turnId }] }
        : {};
      if (more.audit !== undefined) audited++;
      await store.append({ ...eventOf(turnId, ++last), ...more });
      acknowledged++;
    }
    await store.append({ ...eventOf(turnId, ++last), end: SUCCEEDED });
    return last;
  };
  const kill = async () => {
    for (let left = kills; left > 0; left--) {
      const after = acknowledged + between(1, MOST_EVENTS);
      while (acknowledged < after) await delay(1);
      await delay(Math.random() * LATEST_MS);
      if (chance(0.5)) way.cut();
      else await database.query(KILL);
    }
    isOver = true;
  };
  const [lasts] = await Promise.all([Promise.all(turnIds.map(run)), kill()]);
  const faults: string[] = [];
  for (const [index, turnId] of turnIds.entries()) {
    tally.count("events", lasts[index]!);
    faults.push(...(await faultsOfEvents(store, turnId, lasts[index]!)));
  }
  const found = (await countAudit(database)) - before;
  if (found !== audited) faults.push(`there are ${found} audit records, not ${audited}`);
  return faults;
}

async function countAudit(database: FaultDatabase): Promise<number> {
  return Number((await database.query("SELECT count(*) AS count FROM audit"))[0]!.count);
}
