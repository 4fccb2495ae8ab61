import pg, {
  type Client,
  type ClientConfig,
  type Pool,
  type PoolClient,
  type PoolConfig,
} from "pg";
import type { Log } from "../../log.ts";
import { isOutdated, Statements, TYPES } from "./statements.ts";
import { createTables, type Tables } from "./tables.ts";

/** How long a host may take to answer. */
const CONNECT_MS = 5000;
/** How long one read may take. */
const READ_MS = 30_000;
/** How much longer its answer is waited for: a host that is gone answers nothing, and the kernel hears of that after 15 minutes. */
const LATE_MS = 5000;
/** What a host is asked first. */
const IS_STANDBY = {
  text: "SELECT pg_is_in_recovery() AS is_standby",
  query_timeout: CONNECT_MS,
};
const READERS = 8;
/**
 * Warnings have to be heard of. Who stands still in a transaction holds its lease's row, which would keep others from fencing
 * it. No other time-out: one that ends a wait for the standby would let what is on the primary alone be seen.
 */
const WRITER_OPTIONS =
  "-c client_min_messages=warning -c idle_in_transaction_session_timeout=10000";

/** What connects to a database: `pg`, or what a simulation has in its place. */
export interface Driver {
  createClient(config: ClientConfig): Client;
  createPool(config: PoolConfig): Pool;
}

const PG: Driver = {
  createClient: (config) => new pg.Client(config),
  createPool: (config) => new pg.Pool(config),
};

/** The hosts of a database, of which one takes writes. */
export class Primary {
  readonly #hosts: readonly ClientConfig[];
  readonly #log: Log;
  readonly #clock: (() => number) | undefined;
  readonly #driver: Driver;
  readonly #tables = new WeakMap<PoolClient, Tables>();
  #pool: Promise<Pool> | undefined;

  /** @param hosts - Each the whole of what it takes to connect to one. */
  constructor(
    hosts: readonly ClientConfig[],
    log: Log,
    clock: (() => number) | undefined,
    driver = PG,
  ) {
    this.#hosts = hosts;
    this.#log = log;
    this.#clock = clock;
    this.#driver = driver;
  }

  /** A connection to the host that takes writes, to be ended by who asks. @throws Error where none does. */
  async connect(application: string): Promise<Client> {
    return (await this.#choose({ application_name: application, options: WRITER_OPTIONS })).client;
  }

  /** Reads on a connection of the pool: from the primary, for a standby shows what its quorum has not. */
  async read<T>(work: (tables: Tables) => Promise<T>): Promise<T> {
    this.#pool ??= this.#openPool();
    const opened = this.#pool;
    let client: PoolClient | undefined;
    let failure: Error | undefined;
    try {
      client = await (await opened).connect();
      const tables = this.#tablesOf(client);
      return await work(tables).catch((error: unknown) => {
        if (isOutdated(error)) return work(tables);
        throw error;
      });
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      // What the database answered with an error is as good as before.
      const isBroken = failure !== undefined && !("severity" in failure) && !("reason" in failure);
      client?.release(isBroken);
      if (isBroken || client === undefined) this.#dropPool(opened);
    }
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.then(
      (open) => open.end(),
      () => {},
    );
  }

  #tablesOf(client: PoolClient): Tables {
    const known = this.#tables.get(client);
    if (known !== undefined) return known;
    const tables = createTables(new Statements(client), this.#clock);
    this.#tables.set(client, tables);
    return tables;
  }

  async #openPool(): Promise<Pool> {
    const { client, host } = await this.#choose({
      application_name: "breakglass reader",
      statement_timeout: READ_MS,
      query_timeout: READ_MS + LATE_MS,
    });
    void client.end().catch(() => {});
    const pool = this.#driver.createPool({ ...host, max: READERS });
    pool.on("error", (error) =>
      this.#log.warn("a connection to the store's database is lost", { error }),
    );
    // One that is lost in a read says so to who reads, and by itself too: unheard that would end the process.
    pool.on("connect", (client) => void client.on("error", () => {}));
    return pool;
  }

  /** The next one who reads chooses among the hosts again. */
  #dropPool(opened: Promise<Pool>): void {
    if (this.#pool === opened) this.#pool = undefined;
    opened.then(
      (pool) => void pool.end().catch(() => {}),
      () => {},
    );
  }

  async #choose(more: ClientConfig): Promise<{ client: Client; host: ClientConfig }> {
    const failures: Error[] = [];
    for (const one of this.#hosts) {
      const host = {
        ...one,
        ...more,
        types: TYPES,
        connectionTimeoutMillis: CONNECT_MS,
        keepAlive: true,
      };
      const client = this.#driver.createClient(host);
      client.on("error", () => {});
      try {
        await client.connect();
        const { rows } = await client.query(IS_STANDBY);
        if (!rows[0].is_standby) return { client, host };
        failures.push(new Error(`${hostOf(host)} is a standby`));
      } catch (error) {
        failures.push(error as Error);
      }
      void client.end().catch(() => {});
    }
    if (failures.length === 1) throw failures[0]!;
    const all = failures.map(({ message }) => message).join("; ");
    throw new Error(`no host of the database takes writes: ${all}`);
  }
}

function hostOf({ host, port }: ClientConfig): string {
  return `${host}:${port}`;
}
