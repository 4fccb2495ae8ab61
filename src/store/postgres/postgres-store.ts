import type { ClientConfig } from "pg";
import type { Log } from "../../log.ts";
import type { Timers } from "../../stream/timers.ts";
import type { LeaseTerms } from "../lease.ts";
import { LocalChanges } from "../local-changes.ts";
import { LocalCommands } from "../local-commands.ts";
import type { Store } from "../store.ts";
import type { StoreLoad } from "../store-load.ts";
import { telling } from "../telling.ts";
import { checkDatabase } from "./database-checks.ts";
import { dropPartitions, makePartitions } from "./event-partitions.ts";
import {
  type Answered,
  type DatabaseMethods,
  METHODS,
  type Method,
  type MethodName,
} from "./methods.ts";
import { migrate } from "./migration.ts";
import { OthersNews } from "./others-news.ts";
import { type Driver, Primary } from "./primary.ts";
import { explainPostgresError, failureOf } from "./write-errors.ts";
import { Writer } from "./writer.ts";

const HOUR_MS = 3_600_000;
/** A day's partition is dropped so long after the day is over, where no turn of it is on record. */
const KEPT_MS = 24 * HOUR_MS;

/** The store's methods as the database answers them. */
type AskedMethods = {
  [Name in MethodName]: (...args: Parameters<DatabaseMethods[Name]>) => Promise<Answered<Name>>;
};

/** What a simulation has in the place of Node and a database. */
export interface Simulated {
  readonly driver: Driver;
  readonly timers: Timers;
}

/** A database that is open, and the store that each server in this process has in it. */
export interface PostgresDatabase {
  /**
   * Opens it for a server. To close that store ends its lease.
   *
   * @param terms - Left out: it has the lease until it closes the store.
   * @param address - What other servers reach it by. Left out: they do not.
   */
  openStore(owner: string, terms?: LeaseTerms, address?: string): Promise<Store>;
  /** How it does, for all of them. */
  load(): StoreLoad;
  /** Makes the partitions of the days to come, and drops those of which nothing is on record. */
  keepPartitions(): Promise<void>;
  /** Commits what was asked for and closes, for all of them. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens a store in a PostgreSQL database, bringing its schema forward.
 *
 * @param hosts - Of one database: its primary and its standbys, each the whole of what it takes to connect to it.
 * @param clock - What leases are held against, in milliseconds. Left out: the database's clock.
 * @param simulated - A database that has the schema, and no partitions. Left out: a real one.
 * @throws Error with a message for the operator where the database cannot be used.
 */
export async function openPostgres(
  hosts: readonly ClientConfig[],
  log: Log,
  clock?: () => number,
  simulated?: Simulated,
): Promise<PostgresDatabase> {
  const primary = new Primary(hosts, log, clock, simulated?.driver);
  if (simulated === undefined) await prepare(primary, log);
  const writer = new Writer(primary, log, clock, simulated?.timers);
  const asked = askedOf(primary, writer);
  const news = new OthersNews(primary, log);
  const changes = new LocalChanges(news);
  const told = { ...asked, ...telling(asked, changes) };
  const commands = new LocalCommands();
  const keepPartitions = () => keepPartitionsOf(primary);
  const keep = () => {
    keepPartitions().catch((error: unknown) =>
      log.error("the partitions of the store's database cannot be kept", { error }),
    );
  };
  const kept = simulated === undefined ? setInterval(keep, HOUR_MS).unref() : undefined;
  return {
    async openStore(owner, terms, address = "") {
      const epoch = await asked.openLease(owner, address, terms?.leaseMs);
      const store = {
        ...told,
        ...{ lease: { owner, epoch, terms }, changes, commands },
        renewLease: (renewed: number) => asked.renewLease(renewed, terms?.leaseMs),
        listAway: () => asked.listAway(),
        close: () => asked.endLease(epoch),
      };
      return store as Omit<typeof store, "append"> & Pick<Store, "append">;
    },
    load: () => writer.load,
    keepPartitions,
    async close() {
      clearInterval(kept);
      news.close();
      await writer.close();
      await primary.close();
    },
  };
}

async function prepare(primary: Primary, log: Log): Promise<void> {
  try {
    const client = await primary.connect("breakglass start");
    try {
      await checkDatabase(client, log);
      const { from, to } = await migrate(client);
      if (from < to)
        log.info("the schema of the store's database was brought forward", { from, to });
      await makePartitions(client, Date.now());
    } finally {
      await client.end().catch(() => {});
    }
  } catch (error) {
    throw new Error(explainPostgresError(error), { cause: error });
  }
}

/** The methods on the database: writes in their order, reads behind all writes that were asked for before. */
function askedOf(primary: Primary, writer: Writer): AskedMethods {
  const methods = Object.entries(METHODS).map(([name, { kind, perform }]) => {
    if (kind === "write") {
      return [name, (...args: unknown[]) => writer.call(name as MethodName, args)] as const;
    }
    const read = perform as Method["perform"];
    return [
      name,
      async (...args: unknown[]) => {
        await writer.settled();
        return primary.read((tables) => read(tables, ...args)).catch(refuse);
      },
    ] as const;
  });
  // The table of methods is typed by this interface.
  return Object.fromEntries(methods) as unknown as AskedMethods;
}

function refuse(error: unknown): never {
  throw failureOf(error);
}

async function keepPartitionsOf(primary: Primary): Promise<void> {
  const client = await primary.connect("breakglass partitions");
  try {
    await makePartitions(client, Date.now());
    await dropPartitions(client, Date.now() - KEPT_MS);
    // Of writers that have ended. One that lives writes its row again.
    await client.query("DELETE FROM writers WHERE time < now() - interval '7 days'");
  } finally {
    await client.end().catch(() => {});
  }
}
