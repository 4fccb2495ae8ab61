import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { describe, expect, inject, it } from "vitest";
import type { AuditEntry } from "../../src/audit/entry.ts";
import { createLog } from "../../src/log.ts";
import { openPostgres } from "../../src/store/postgres/postgres-store.ts";
import { type OwnedStore, owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";
import { startAnswerDropper } from "./answer-dropper.ts";
import { findPostgres, startCluster, USER } from "./cluster.ts";
import { hostOf, makeDatabase, type TestDatabase, without } from "./databases.ts";

const cluster = inject("cluster");
const silent = createLog(() => {});
const TERMS = { renewMs: 100, graceMs: 500, leaseMs: 1000 };
const TRIALS = 25;

const text = (name: string) => new TextEncoder().encode(name);
const event = (turnId: string, firstSequence: number) => {
  return { turnId, firstSequence, events: [text(String(firstSequence))], time: 1 };
};

/** The sequences on record of a turn, each as its event says. */
async function sequencesOf(store: OwnedStore, turnId: string): Promise<number[]> {
  const found: number[] = [];
  for (;;) {
    const events = await store.readEvents(turnId, found.length, 1e6);
    if (events.length === 0) return found;
    for (const one of events) found.push(Number(new TextDecoder().decode(one)));
  }
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(10);
}

const countOf = async (database: Pick<TestDatabase, "query">, from: string) =>
  Number((await database.query(`SELECT count(*) AS count FROM ${from}`))[0]!.count);

describe.skipIf(cluster === undefined)(`a commit whose answer is lost${without(cluster)}`, () => {
  it("is asked about, and what is there is not sent again", async () => {
    await using database = await makeDatabase(cluster!);
    await using between = await startAnswerDropper(database.host.port!);
    const opened = await openPostgres([{ ...database.host, port: between.port }], silent);
    const store = owned(await opened.openStore("one"));
    const start = turnStart();
    const { turnId } = start;
    await store.createTurn(start);
    await store.append(event(turnId, 1));
    const audit: AuditEntry[] = [{ kind: "tools_called", facts: { name: "x" } }];
    const lost = async (asked: () => Promise<unknown>, request: string, from: string) => {
      const before = await countOf(database, from);
      between.dropAnswersTo(request);
      const answer = asked();
      await until(async () => (await countOf(database, from)) > before);
      between.cut();
      await answer;
      expect(await countOf(database, from)).toBe(before + 1);
    };
    await lost(() => store.append(event(turnId, 2)), "", "events");
    await lost(() => store.append({ ...event(turnId, 3), audit }), "COMMIT", "audit");
    await lost(() => store.createTurn(turnStart()), "COMMIT", "turns");
    await store.append(event(turnId, 4));
    await store.append({ ...event(turnId, 5), end: SUCCEEDED });
    expect(await sequencesOf(store, turnId)).toEqual(upTo(5));
    await opened.close();
  });

  it("is done again where it is not there, and nothing else is lost or doubled", async () => {
    await using database = await makeDatabase(cluster!);
    const opened = await openPostgres([database.host], silent);
    const store = owned(await opened.openStore("one"));
    const starts = Array.from({ length: 20 }, () => turnStart());
    let isOver = false;
    const kill = async () => {
      for (let kills = 0; kills < TRIALS; kills++) {
        await delay(Math.random() * 40);
        await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name LIKE 'breakglass writer%' AND datname = current_database()`);
      }
      isOver = true;
    };
    const run = async (start: (typeof starts)[number]) => {
      await store.createTurn(start);
      const { turnId } = start;
      const audit: AuditEntry[] = [{ kind: "tools_called", turnId }];
      let last = 0;
      while (!isOver) {
        await store.append(event(turnId, ++last));
        await store.append({ ...event(turnId, ++last), audit });
      }
      await store.append({ ...event(turnId, ++last), end: SUCCEEDED });
      return last;
    };
    const [lasts] = await Promise.all([Promise.all(starts.map(run)), kill()]);
    for (const [index, { turnId }] of starts.entries()) {
      expect(await sequencesOf(store, turnId)).toEqual(upTo(lasts[index]!));
    }
    const audited = lasts.reduce((sum, last) => sum + (last - 1) / 2, 0);
    expect(await countOf(database, "audit")).toBe(audited);
    await opened.close();
  });
});

describe.skipIf(cluster === undefined)(`a read whose answer is lost${without(cluster)}`, () => {
  it("is refused, and the next one is answered", async () => {
    await using database = await makeDatabase(cluster!);
    await using between = await startAnswerDropper(database.host.port!);
    const opened = await openPostgres([{ ...database.host, port: between.port }], silent);
    const store = owned(await opened.openStore("one"));
    const start = turnStart();
    await store.createTurn(start);
    const read = () => store.getTurn(start.turnId, start.principal);
    await read();
    between.dropAnswersTo("");
    const asked = read();
    await delay(200);
    between.cut();
    await expect(asked).rejects.toMatchObject({ reason: "STORAGE" });
    expect(await read()).toMatchObject({ turnId: start.turnId });
    await opened.close();
  });
});

describe.skipIf(cluster === undefined)(
  `a live server that is fenced at a random moment${without(cluster)}`,
  () => {
    it("has written all that it was told is there before the fence, and nothing behind it", async () => {
      await using database = await makeDatabase(cluster!);
      let now = 0;
      const clock = () => now;
      const [first, second] = await Promise.all(
        [1, 2].map(() => openPostgres([database.host], silent, clock)),
      );
      for (let trial = 0; trial < TRIALS; trial++) {
        const one = owned(await first!.openStore("one", TERMS));
        const starts = Array.from({ length: 4 }, () => turnStart());
        for (const start of starts) await one.createTurn(start);
        now += TERMS.leaseMs + 1;
        const other = owned(await second!.openStore("other", TERMS));
        const run = async ({ turnId }: (typeof starts)[number]) => {
          for (let last = 0; ; last++) {
            try {
              await one.append(event(turnId, last + 1));
            } catch (error) {
              expect(error).toMatchObject({ reason: "FENCED" });
              return last;
            }
          }
        };
        const running = Promise.all(starts.map(run));
        await delay(Math.random() * 15);
        expect(await other.fence("one")).toBe(true);
        const left = await other.listLeftTurns("one");
        const lasts = await running;
        for (const [index, { turnId }] of starts.entries()) {
          const found = left.find((turn) => turn.turnId === turnId)!;
          expect(found.lastSequence).toBe(lasts[index]);
          await other.append({ ...event(turnId, found.lastSequence + 1), end: SUCCEEDED });
          expect(await sequencesOf(other, turnId)).toEqual(upTo(lasts[index]! + 1));
        }
      }
      await Promise.all([first!.close(), second!.close()]);
    });
  },
);

describe.skipIf(cluster === undefined)(`a write that is under way${without(cluster)}`, () => {
  const audit: AuditEntry[] = [{ kind: "tools_called" }];
  it.each([
    ["events alone", {}],
    ["events and more", { audit }],
  ])("(%s) is waited for by who fences its server", async (_what, more) => {
    await using database = await makeDatabase(cluster!);
    let now = 0;
    const [first, second] = await Promise.all(
      [1, 2].map(() => openPostgres([database.host], silent, () => now)),
    );
    const one = owned(await first!.openStore("one", TERMS));
    const start = turnStart();
    const { turnId } = start;
    await one.createTurn(start);
    await one.append(event(turnId, 1));
    now += TERMS.leaseMs + 1;
    const other = owned(await second!.openStore("other", TERMS));
    // Its lease is looked at, and its event has no place to go.
    const [partition] = await database.query("SELECT tableoid::regclass::text AS name FROM events");
    const holder = new pg.Client(database.host);
    await holder.connect();
    await holder.query(`BEGIN; LOCK TABLE ${partition!.name} IN EXCLUSIVE MODE`);
    const waiting = `pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'breakglass writer%'
      AND datname = current_database()`;
    const appended = one.append({ ...event(turnId, 2), ...more });
    await until(async () => (await countOf(database, waiting)) === 1);
    let isFenced = false;
    const fenced = other.fence("one").then((answer) => {
      isFenced = true;
      return answer;
    });
    await until(async () => isFenced || (await countOf(database, waiting)) === 2);
    expect(isFenced).toBe(false);
    await holder.query("COMMIT");
    await holder.end();
    await appended;
    expect(await fenced).toBe(true);
    expect(await other.listLeftTurns("one")).toMatchObject([{ turnId, lastSequence: 2 }]);
    await Promise.all([first!.close(), second!.close()]);
  });
});

describe.skipIf(cluster === undefined)(`a commit that no standby has${without(cluster)}`, () => {
  it("is not told to be there before one has it, also where its wait is canceled", async () => {
    await using own = await startCluster((await findPostgres())!);
    await own.query(`CREATE DATABASE unheard OWNER ${USER}`);
    const opened = await openPostgres([hostOf(own.urlOf("unheard"))], silent);
    const store = owned(await opened.openStore("one"));
    const start = turnStart();
    const { turnId } = start;
    await store.createTurn(start);
    await store.append(event(turnId, 1));
    await own.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    await own.query("SELECT pg_reload_conf()");
    const waiting =
      "pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE 'breakglass writer%'";
    const database = { query: (sql: string) => own.query(sql, "unheard") };
    let isTold = true;
    let last = 1;
    let appended = Promise.resolve();
    // It takes the database a moment to heed that.
    while (isTold) {
      isTold = false;
      appended = store.append(event(turnId, ++last)).then(() => {
        isTold = true;
      });
      await until(async () => isTold || (await countOf(database, waiting)) > 0);
    }
    for (let times = 0; times < 3; times++) {
      await until(async () => (await countOf(database, waiting)) > 0);
      await own.query(`SELECT pg_cancel_backend(pid) FROM ${waiting}`);
      await until(
        async () => (await countOf(database, `events WHERE turn_id = '${turnId}'`)) === last,
      );
      expect(isTold).toBe(false);
    }
    await own.query("ALTER SYSTEM RESET synchronous_standby_names");
    await own.query("SELECT pg_reload_conf()");
    await appended;
    await store.append(event(turnId, ++last));
    expect(await sequencesOf(store, turnId)).toEqual(upTo(last));
    await opened.close();
  });
});

describe.skipIf(cluster === undefined)(
  `a primary that is lost while turns are recorded${without(cluster)}`,
  () => {
    it("is followed by its synchronous standby, which has all that was acknowledged", async () => {
      const bin = (await findPostgres())!;
      await using primary = await startCluster(bin);
      await using standby = await startCluster(bin, {}, primary);
      await primary.query(`CREATE DATABASE followed OWNER ${USER}`);
      await primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
      await primary.query("SELECT pg_reload_conf()");
      const hosts = [standby, primary].map((one) => hostOf(one.urlOf("followed")));
      const opened = await openPostgres(hosts, silent);
      const store = owned(await opened.openStore("one"));
      const starts = Array.from({ length: 10 }, () => turnStart());
      let isOver = false;
      const run = async (start: (typeof starts)[number]) => {
        await store.createTurn(start);
        const { turnId } = start;
        let last = 0;
        while (!isOver) await store.append(event(turnId, ++last));
        await store.append({ ...event(turnId, ++last), end: SUCCEEDED });
        return last;
      };
      const fail = async () => {
        await delay(500 + Math.random() * 500);
        await primary.stop("SIGQUIT");
        await standby.query("SELECT pg_promote()");
        await delay(500);
        isOver = true;
      };
      const [lasts] = await Promise.all([Promise.all(starts.map(run)), fail()]);
      for (const [index, { turnId }] of starts.entries()) {
        expect(await sequencesOf(store, turnId)).toEqual(upTo(lasts[index]!));
      }
      await opened.close();
    });
  },
);
