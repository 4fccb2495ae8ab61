import { createLog } from "../../../src/log.ts";
import { type Cluster, findPostgres, startCluster } from "../../postgres/cluster.ts";
import { makeDatabase, makeTemplate, type TestDatabase } from "../../postgres/databases.ts";
import type { FaultRow, RowOutcome } from "../row.ts";
import { Tally } from "../trials.ts";

/** What the store says is not what is looked at. */
export const SILENT = createLog(() => {});

/** A commit takes some milliseconds, as on a slow disk or with a standby that is far: more happens while one is under way. */
export const SLOW_COMMITS = { fsync: "on", commit_delay: "5000", commit_siblings: "0" };

/** A PostgreSQL of a row's own, and an empty store in it. */
export interface FaultDatabase extends TestDatabase {
  readonly cluster: Cluster;
}

/** @param settings - Of postgresql.conf. */
export async function startFaultDatabase(
  bin: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<FaultDatabase> {
  await using cleanup = new AsyncDisposableStack();
  const cluster = cleanup.use(await startCluster(bin, settings));
  await makeTemplate(cluster);
  const { adminUrl } = cluster;
  const database = await makeDatabase({ adminUrl, url: cluster.urlOf("") });
  const owned = cleanup.move();
  return { ...database, cluster, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Makes a row of what wants PostgreSQL. Where there is none it is skipped, but not where CI says that nothing is. */
export function postgresRow(
  told: Pick<FaultRow, "name" | "fault" | "bar">,
  run: (trials: number, tally: Tally, bin: string) => Promise<void>,
): FaultRow {
  return {
    ...told,
    async run(trials): Promise<RowOutcome> {
      const bin = await findPostgres();
      const tally = new Tally();
      if (bin !== undefined) await run(trials, tally, bin);
      else if (process.env.CI !== undefined) throw new Error("there is no PostgreSQL, 15 or newer");
      else return { trials: 0, failures: [], skipped: "there is no PostgreSQL" };
      return tally.outcome;
    },
  };
}
