import { randomUUID, randomUUIDv7 } from "node:crypto";
import pg from "pg";
import { describe, expect, inject, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { openPostgres, type PostgresDatabase } from "../../src/store/postgres/postgres-store.ts";
import { TYPES } from "../../src/store/postgres/statements.ts";
import type { Store } from "../../src/store/store.ts";
import type { EventBatch } from "../../src/store/writes.ts";
import { simulatedDriver } from "../simulation/database/client.ts";
import { Database } from "../simulation/database/database.ts";
import { Way } from "../simulation/network.ts";
import { Process } from "../simulation/process.ts";
import { World } from "../simulation/world.ts";
import { TERMS } from "../store/contract/servers.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";
import { makeDatabase, type TestDatabase, without } from "./databases.ts";

const cluster = inject("cluster");
const silent = createLog(() => {});
const SEQUENCES = 6;
const STEPS = 60;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** A database, real or simulated, as two servers use it. */
interface Side extends AsyncDisposable {
  open(owner: string): Promise<void>;
  /** What came of what is asked of the store of a server, in words that are the same where it is. */
  ask(owner: string, ask: (store: Store) => Promise<unknown>): Promise<string>;
}

/** Ids that the store makes are others each time: they are told by when they came up first. */
function worded(words: Map<string, string>, answer: unknown): string {
  const plain = (_key: string, value: unknown) => (typeof value === "bigint" ? `${value}` : value);
  return (JSON.stringify(answer, plain) ?? "nothing").replaceAll(UUID, (id) => {
    const word = words.get(id) ?? `id ${words.size}`;
    words.set(id, word);
    return word;
  });
}

function sideOf(
  openDatabase: () => Promise<PostgresDatabase>,
  wait: <T>(asked: Promise<T>) => Promise<T>,
  dispose: () => Promise<void>,
): Side {
  const words = new Map<string, string>();
  const databases = new Map<string, PostgresDatabase>();
  const stores = new Map<string, Store>();
  return {
    async open(owner) {
      const database = databases.get(owner) ?? (await wait(openDatabase()));
      databases.set(owner, database);
      stores.set(owner, await wait(database.openStore(owner, TERMS)));
    },
    async ask(owner, ask) {
      try {
        return worded(words, await wait(ask(stores.get(owner)!)));
      } catch (error) {
        const { reason } = error as { reason?: string };
        return reason ?? String(error);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const database of databases.values()) await wait(database.close());
      await dispose();
    },
  };
}

async function realSide(clock: () => number): Promise<Side> {
  const database = await makeDatabase(cluster!);
  const open = () => openPostgres([database.host], silent, clock);
  return sideOf(
    open,
    (asked) => asked,
    async () => database[Symbol.asyncDispose](),
  );
}

function simulatedSide(seed: number, clock: () => number): Side {
  const { world, placed } = simulated(seed);
  const open = () => openPostgres(HOSTS, silent, clock, placed());
  return sideOf(
    open,
    (asked) => happened(world, asked),
    async () => {},
  );
}

const HOSTS = ["db-1", "db-2", "db-3"].map((host) => ({ host, port: 5432 }));

function simulated(seed: number) {
  const world = new World(seed);
  const database = new Database(world, { committed() {}, promoted() {} });
  const placed = () => {
    const process = new Process(world, 1);
    const place = { world, database, process, way: new Way(world), hearsWarnings: true };
    return { driver: simulatedDriver(place), timers: process.timers };
  };
  return { world, placed };
}

/** Has the time of a world pass until something has happened. */
async function happened<T>(world: World, asked: Promise<T>): Promise<T> {
  let isOver = false;
  const over = asked.then(
    () => {
      isOver = true;
    },
    () => {
      isOver = true;
    },
  );
  await Promise.race([over, world.runUntil(world.now, () => {})]);
  while (!isOver) await world.runUntil(world.now + 10, () => {});
  return asked;
}

describe.skipIf(cluster === undefined)(
  `the database of the simulation beside a real one${without(cluster)}`,
  () => {
    it("answers a store the same, whatever two servers ask of it", async () => {
      for (let seed = 1; seed <= SEQUENCES; seed++) {
        let now = 0;
        await using real = await realSide(() => now);
        await using model = simulatedSide(seed, () => now);
        const random = new SeededRandom(seed);
        const done: string[] = [];
        const open = async (owner: string) => {
          done.push(`${owner} is opened`);
          for (const side of [real, model]) await side.open(owner);
        };
        for (const owner of OWNERS) await open(owner);
        const turns: KnownTurn[] = [];
        for (let step = 0; step < STEPS; step++) {
          const owner = random.oneOf(OWNERS);
          if (random.below(20) === 0) await open(owner);
          now += random.oneOf([0, 0, 0, 100, TERMS.leaseMs]);
          const { what, ask } = stepOf(random, owner, turns);
          done.push(`${owner} ${what}`);
          const [expected, answered] = [await real.ask(owner, ask), await model.ask(owner, ask)];
          expect(answered, `seed ${seed}\n${done.join("\n")}`).toBe(expected);
        }
      }
    }, 300_000);
  },
);

const OWNERS = ["one", "other"] as const;

interface KnownTurn {
  readonly turnId: string;
  readonly sessionId: string;
  last: number;
}

function stepOf(random: SeededRandom, owner: string, turns: KnownTurn[]) {
  const turn = turns.length > 0 ? random.oneOf(turns) : undefined;
  const kind = turn === undefined ? 0 : random.below(9);
  const another = owner === "one" ? "other" : "one";
  const step = (what: string, ask: (store: Store) => Promise<unknown>) => ({ what, ask });
  if (turn === undefined || kind <= 1) {
    const sentSessionId = kind === 1 ? turn!.sessionId : "";
    const start = turnStart({ sentSessionId, requestId: random.oneOf(["", "a", randomUUID()]) });
    turns.push({ turnId: start.turnId, sessionId: start.newSession.sessionId, last: 0 });
    return step(`starts ${start.turnId} in ${sentSessionId || "a session of its own"}`, (store) =>
      store.createTurn(start, store.lease.epoch),
    );
  }
  const { turnId } = turn;
  const append = (batches: readonly EventBatch[]) => (store: Store) =>
    Promise.allSettled(batches.map((batch) => store.append(batch, store.lease.epoch))).then(
      (settled) => settled.map(({ status }) => status),
    );
  // Some do not follow what is there.
  const first = turn.last + 1 + (random.below(8) === 0 ? 1 : 0);
  const batch = (firstSequence: number) => {
    return { turnId, firstSequence, events: [new Uint8Array([firstSequence])], time: 1 };
  };
  if (kind <= 3) {
    turn.last = first + 1;
    return step(
      `appends ${first} and the next to ${turnId}`,
      append([batch(first), batch(first + 1)]),
    );
  }
  if (kind === 4) {
    turn.last = first;
    return step(`ends ${turnId} with ${first}`, append([{ ...batch(first), end: SUCCEEDED }]));
  }
  if (kind === 5) return step("renews its lease", (store) => store.renewLease(store.lease.epoch));
  if (kind === 6)
    return step("looks who is away", async (store) => {
      return (await store.listAway()).sort();
    });
  if (kind === 7) {
    return step(`fences ${another}`, async (store) => {
      const isGone = await store.fence(another, store.lease.epoch);
      return { isGone, left: await store.listLeftTurns(another) };
    });
  }
  return step(`reads ${turnId}`, async (store) => {
    const events = await store.readEvents(turnId, 0, 1e6);
    return events.map((event) => [...event]);
  });
}

/** Statements of two connections, and whether each has to wait for the other. */
describe.skipIf(cluster === undefined)(
  `the locks of the simulation's database beside a real one's${without(cluster)}`,
  () => {
    it("keep who waits waiting, and let them go on with what is there then", async () => {
      await using database = await makeDatabase(cluster!);
      const admin = new pg.Client(cluster!.adminUrl);
      await admin.connect();
      await admin.query(`ALTER DATABASE ${database.host.database} SET deadlock_timeout = '10ms'`);
      await admin.end();
      for (let seed = 1; seed <= 3 * SEQUENCES; seed++) {
        const random = new SeededRandom(seed);
        const turnId = randomUUIDv7();
        const steps = Array.from({ length: 14 }, () => {
          return { at: random.below(2), sql: random.oneOf(LOCKING) };
        });
        const real = await realTrace(database, turnId, steps);
        const model = await modelTrace(seed, turnId, steps);
        expect(model, `seed ${seed}`).toEqual(real);
      }
    }, 300_000);
  },
);

type Asked = { readonly at: number; readonly sql: string };

const LOCKING = [
  ...["BEGIN", "COMMIT", "ROLLBACK"],
  "SELECT replica_id FROM replicas WHERE incarnation = 1 AND NOT fenced FOR SHARE",
  "UPDATE replicas SET fenced = true WHERE incarnation = 1 AND NOT fenced",
  "UPDATE replicas SET lease_until = 5 WHERE incarnation = 1 AND NOT fenced",
  "SELECT fenced FROM replicas WHERE incarnation = 1",
  "INSERT INTO events (turn_id, sequence, event) VALUES ('THE_TURN', 1, '1')",
  `WITH me AS MATERIALIZED (SELECT 1 FROM replicas WHERE incarnation = 1 AND NOT fenced FOR SHARE),
    ins AS (INSERT INTO events (turn_id, sequence, event) SELECT 'THE_TURN', 2, '2' FROM me RETURNING 1)
    SELECT count(*) AS held FROM me`,
  "SELECT max(sequence) AS last FROM events WHERE turn_id = 'THE_TURN'",
  `INSERT INTO writers (writer_id, number) VALUES ('THE_TURN', 1)
    ON CONFLICT (writer_id) DO UPDATE SET number = writers.number + 1`,
  "SELECT number FROM writers WHERE writer_id = 'THE_TURN'",
];

/** What can be asked of a connection, and whether it waits. */
interface Traced {
  query(sql: string): Promise<{ rows: unknown[]; rowCount: number | null }>;
  /** Resolves when it was answered, or waits. */
  rest(asked: Promise<unknown>): Promise<void>;
}

/** Asks each connection for its statements, of which one that waits leaves out those that come meanwhile. */
async function trace(connections: readonly Traced[], steps: readonly Asked[]): Promise<string[]> {
  const told: string[] = [];
  const busy = new Map<number, Promise<unknown>>();
  for (const { at, sql } of [...steps, { at: 0, sql: "ROLLBACK" }, { at: 1, sql: "ROLLBACK" }]) {
    if (busy.has(at)) continue;
    const asked = connections[at]!.query(sql).then(
      ({ rows, rowCount }) => `${JSON.stringify(rows)} ${rowCount ?? 0}`,
      (error) => `error ${(error as { code?: string }).code}`,
    );
    const answered = asked.then((answer) => {
      busy.delete(at);
      told.push(`${at} ${sql.slice(0, 40)}: ${answer}`);
    });
    busy.set(at, answered);
    await connections[at]!.rest(answered);
    if (busy.has(at)) told.push(`${at} waits`);
    const other = 1 - at;
    if (!busy.has(at) && busy.has(other)) await connections[other]!.rest(busy.get(other)!);
  }
  return told;
}

async function realTrace(database: TestDatabase, turnId: string, steps: readonly Asked[]) {
  await database.query("TRUNCATE replicas, writers RESTART IDENTITY");
  await database.query("INSERT INTO replicas (replica_id, lease_until) VALUES ('one', 1)");
  const clients = [0, 1].map(() => new pg.Client({ ...database.host, types: TYPES }));
  for (const client of clients) {
    client.on("error", () => {});
    await client.connect();
  }
  const traced = clients.map((client): Traced => {
    const { processID } = client as unknown as { processID: number };
    return {
      query: (sql) => client.query(sql),
      async rest(asked) {
        let isOver = false;
        void asked.then(() => {
          isOver = true;
        });
        const waits = `SELECT 1 FROM pg_stat_activity WHERE pid = ${processID} AND wait_event_type = 'Lock'`;
        for (let seen = 0; !isOver && seen < 3; ) {
          const rows = await database.query(waits);
          seen = rows.length > 0 ? seen + 1 : 0;
          // A deadlock is found a moment later.
          await new Promise((resolve) => setTimeout(resolve, 15));
        }
      },
    };
  });
  const told = await trace(traced, withTurn(steps, turnId));
  for (const client of clients) await client.end();
  return told;
}

async function modelTrace(seed: number, turnId: string, steps: readonly Asked[]) {
  const { world, placed } = simulated(seed);
  const clients = [placed(), placed()].map(({ driver }) =>
    driver.createClient({ ...HOSTS[0], application_name: "test" }),
  );
  for (const client of clients) await happened(world, client.connect());
  const start = "INSERT INTO replicas (replica_id, lease_until) VALUES ('one', 1)";
  await happened(world, clients[0]!.query(start));
  const traced = clients.map(
    (client): Traced => ({
      query: (sql) => client.query(sql),
      rest: () => world.runUntil(world.now + 1500, () => {}),
    }),
  );
  return trace(traced, withTurn(steps, turnId));
}

function withTurn(steps: readonly Asked[], turnId: string): Asked[] {
  return steps.map(({ at, sql }) => ({ at, sql: sql.replaceAll("THE_TURN", turnId) }));
}
