import { readdirSync, readFileSync } from "node:fs";
import type { ClientConfig } from "pg";
import { createLog } from "../../../src/log.ts";
import { openPostgres } from "../../../src/store/postgres/postgres-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { type Cluster, findPostgres, startCluster, USER } from "../../postgres/cluster.ts";
import { hostOf } from "../../postgres/databases.ts";
import { processorMs } from "../processor.ts";

/** As an operator would have it: what a commit costs is a part of what is measured. */
const SETTINGS = { fsync: "on", shared_buffers: "256MB", max_wal_size: "4GB" };
const DATABASE = "bench";

/** A PostgreSQL of a benchmark's own, on this machine's disk, with an empty store. */
export interface BenchDatabase extends AsyncDisposable {
  readonly host: ClientConfig;
  readonly store: Store;
  /** The processor time that all of PostgreSQL's processes have taken so far. */
  processorMs(): number;
}

/** @throws Error where no PostgreSQL is installed. */
export async function startBenchDatabase(): Promise<BenchDatabase> {
  const bin = await findPostgres();
  if (bin === undefined) throw new Error("there is no PostgreSQL here: apt-get install postgresql");
  await using cleanup = new AsyncDisposableStack();
  const cluster = cleanup.use(await startCluster(bin, SETTINGS));
  await cluster.query(`CREATE DATABASE ${DATABASE} OWNER ${USER}`);
  const host = hostOf(cluster.urlOf(DATABASE));
  const opened = await openPostgres(
    [host],
    createLog(() => {}),
  );
  cleanup.defer(() => opened.close());
  const store = await opened.openStore("the server");
  const owned = cleanup.move();
  return {
    host,
    store,
    processorMs: () => processorMsOf(cluster),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Of its first process and of those that it started and that are there: none that works for us ends meanwhile. */
function processorMsOf({ pid }: Cluster): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && parentOf(name) === pid);
  return [pid, ...pids.map(Number)].reduce((sum, each) => sum + processorMs(each), 0);
}

/** 0 for one that has ended. */
function parentOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}
