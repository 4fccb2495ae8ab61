import { EventEmitter } from "node:events";
import type { Client, ClientConfig, Pool, PoolConfig } from "pg";
import type { Driver } from "../../../src/store/postgres/primary.ts";
import type { Connected, Way } from "../network.ts";
import type { Process } from "../process.ts";
import type { Planned, World } from "../world.ts";
import type { Backend } from "./backend.ts";
import type { Database, Host } from "./database.ts";
import type { Answer } from "./sql/execute.ts";
import { rowOf } from "./sql/select.ts";

/** From where a database is reached. */
export interface Place {
  readonly world: World;
  readonly database: Database;
  readonly process: Process;
  readonly way: Way;
  /** Whether a warning is heard of. */
  readonly hearsWarnings: boolean;
}

interface Asked {
  readonly text: string;
  readonly values?: unknown[];
  readonly query_timeout?: number;
}

interface Query {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Connects a process to a simulated database, as `pg` does to a real one. */
export function simulatedDriver(place: Place): Driver {
  const createClient = (config: ClientConfig) => new SimulatedClient(place, config);
  return {
    createClient: (config) => createClient(config) as unknown as Client,
    createPool: (config) => new SimulatedPool(config, createClient) as unknown as Pool,
  };
}

/** A connection, as much of `pg.Client` as the store uses. */
class SimulatedClient extends EventEmitter implements Connected {
  readonly #place: Place;
  readonly #config: ClientConfig;
  readonly #host: Host;
  #backend: Backend | undefined;
  #queries: Query[] = [];
  #connecting: Query | undefined;
  #isOver = false;
  /** As `pg` has it: who destroys it sends nothing more. */
  readonly connection = { stream: { destroy: () => this.#lose(new Error("destroyed"), true) } };

  constructor(place: Place, config: ClientConfig) {
    super();
    this.#place = place;
    this.#config = config;
    this.#host = place.database.hosts.find(({ name }) => name === config.host)!;
  }

  connect(): Promise<void> {
    const { way, database, world, process } = this.#place;
    way.add(this);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#connecting = { resolve: resolve as () => void, reject };
    const late = process.timers.setTimeout(
      () => this.#lose(new Error("timeout expired"), true),
      this.#config.connectionTimeoutMillis ?? 5000,
    );
    if (way.isRefused) world.after(1, () => this.#hear(() => this.reset()));
    else {
      way.send(this, "to", () => {
        // A host that is not there answers nothing, or that there is nobody.
        if (this.#host.role === "down") return;
        if (this.#host.role === "primary") {
          const application = String(this.#config.application_name);
          this.#backend = database.connect(application, process);
          this.#backend.ended = (error) => this.#send("from", () => this.#lose(error, false));
        }
        this.#send("from", () => {
          process.timers.clear(late);
          this.#connecting = undefined;
          resolve();
        });
      });
    }
    return promise.finally(() => process.timers.clear(late));
  }

  query(asked: string | Asked, more?: unknown[]): Promise<unknown> {
    if (this.#isOver) return Promise.reject(new Error("Client was closed"));
    const { text, values = [] } = typeof asked === "string" ? { text: asked, values: more } : asked;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#queries.push({ resolve, reject });
    const limit =
      typeof asked === "string" ? undefined : (asked.query_timeout ?? this.#config.query_timeout);
    let late: Planned | undefined;
    if (typeof limit === "number") {
      const { world } = this.#place;
      late = world.after(limit, () => this.#hear(() => reject(new Error("Query read timeout"))));
      void promise.finally(() => world.cancel(late)).catch(() => {});
    }
    this.#send("to", () => this.#arrive(text, values));
    return promise;
  }

  async end(): Promise<void> {
    this.#lose(new Error("ended"), true);
  }

  /** Of a pool: whoever had it needs it no more. */
  release: (isBroken?: boolean) => void = () => {};

  get isOver(): boolean {
    return this.#isOver;
  }

  reset(): void {
    const backend = this.#backend;
    // Each side hears of it when it does; the other may do more until then.
    const { world } = this.#place;
    if (backend !== undefined) world.after(world.between(0, 50), () => backend.close());
    world.after(world.between(0, 50), () => {
      this.#hear(() => this.#lose(new Error("connection reset"), false));
    });
    this.#place.way.remove(this);
  }

  #arrive(sql: string, values: readonly unknown[]): void {
    if (this.#backend === undefined) {
      const rows = [{ is_standby: true }];
      this.#send("from", () => this.#queries.shift()?.resolve({ rows, rowCount: 1 }));
      return;
    }
    this.#backend.ask({
      sql,
      values: values.map((value) => value ?? null),
      answered: (answer, isWarned) => this.#send("from", () => this.#answer(answer, isWarned)),
    });
  }

  #answer(answer: Answer | Error, isWarned: boolean): void {
    if (isWarned && this.#place.hearsWarnings) this.emit("notice", { severity: "WARNING" });
    const query = this.#queries.shift();
    if (answer instanceof Error) query?.reject(answer);
    else {
      const rows = answer.rows.map((row) => ({ ...rowOf(answer.names, row) }));
      query?.resolve({ rows, rowCount: answer.count });
    }
  }

  #send(direction: "to" | "from", deliver: () => void): void {
    const come = direction === "to" ? deliver : () => this.#hear(deliver);
    this.#place.way.send(this, direction, come);
  }

  /** Has the process hear of something. */
  #hear(what: () => void): void {
    this.#place.process.do(() => {
      if (!this.#isOver) what();
    });
  }

  /** @param isOwn - The other side is told. */
  #lose(error: Error, isOwn: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { way } = this.#place;
    const backend = this.#backend;
    if (isOwn) {
      way.send(this, "to", () => {
        backend?.close();
        way.remove(this);
      });
    } else way.remove(this);
    this.#connecting?.reject(error);
    for (const { reject } of this.#queries.splice(0)) reject(error);
    if (!isOwn && this.listenerCount("error") > 0) this.emit("error", error);
    this.emit("end");
  }
}

/** Connections that are kept for who comes next, as much of `pg.Pool` as the store uses. */
class SimulatedPool extends EventEmitter {
  readonly #config: PoolConfig;
  readonly #create: (config: ClientConfig) => SimulatedClient;
  #idle: SimulatedClient[] = [];
  #isOver = false;

  constructor(config: PoolConfig, create: (config: ClientConfig) => SimulatedClient) {
    super();
    this.#config = config;
    this.#create = create;
  }

  async connect(): Promise<SimulatedClient> {
    this.#idle = this.#idle.filter(({ isOver }) => !isOver);
    const client = this.#idle.pop() ?? (await this.#open());
    client.release = (isBroken = false) => {
      client.release = () => {};
      if (isBroken || this.#isOver) void client.end();
      else this.#idle.push(client);
    };
    return client;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    for (const client of this.#idle.splice(0)) await client.end();
  }

  async #open(): Promise<SimulatedClient> {
    const client = this.#create(this.#config);
    client.on("error", () => {});
    await client.connect();
    return client;
  }
}
