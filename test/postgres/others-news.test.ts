import { describe, expect, inject, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { openPostgres } from "../../src/store/postgres/postgres-store.ts";
import { describeChanges } from "../store/contract/changes.ts";
import { endOf, event } from "../store/contract/servers.ts";
import { describeSharedTurns } from "../store/contract/shared-turns.ts";
import { describeShares } from "../store/contract/shares.ts";
import { opening, type StoreUnderTest } from "../store/contract/store-under-test.ts";
import { describeTurnChanges } from "../store/contract/turn-changes.ts";
import { owned } from "../support/owned-store.ts";
import { turnStart } from "../support/turn-start.ts";
import { makeDatabase, type TestDatabase, without } from "./databases.ts";

const cluster = inject("cluster");

/** Two servers on one database, each with connections of its own: nothing that one writes goes through the other. */
async function openTwo(database: TestDatabase) {
  const log = createLog(() => {});
  const [here, there] = [
    await openPostgres([database.host], log),
    await openPostgres([database.host], log),
  ];
  return {
    here: await here.openStore("here"),
    there: await there.openStore("there"),
    async close() {
      await here.close();
      await there.close();
    },
  };
}

/** A store that hears of what is written only as another server does. */
async function openElsewhere(): Promise<StoreUnderTest> {
  const database = await makeDatabase(cluster!);
  let opened = await openTwo(database);
  const store = () => ({ ...opened.there, changes: opened.here.changes });
  return {
    get store() {
      return store();
    },
    async reopen() {
      await opened.close();
      opened = await openTwo(database);
      return store();
    },
    openFor() {
      throw new Error("there are two");
    },
    passLeases() {},
    async [Symbol.asyncDispose]() {
      await opened.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** How often a database's statements of a kind were run, as far as it has told by now. */
async function looksAt(database: TestDatabase): Promise<number> {
  const [row] = await database.query(
    "SELECT coalesce(sum(seq_scan), 0)::int AS scans FROM pg_stat_user_tables WHERE relname = 'newest_change'",
  );
  return Number(row?.scans);
}

describe.skipIf(cluster === undefined)(
  `what another server writes to a PostgreSQL database${without(cluster)}`,
  () => {
    const open = opening(openElsewhere);
    describeChanges(open);
    describeTurnChanges(open);
    describeShares(open);
    describeSharedTurns(open);

    it("is heard of by each who listens, of each change, though all listen to many", async () => {
      await using database = await makeDatabase(cluster!);
      const opened = await openTwo(database);
      const there = owned(opened.there);
      const starts = Array.from({ length: 20 }, () => turnStart());
      for (const start of starts) await there.createTurn(start);
      const heard = starts.map(({ turnId }) => follow(opened.here, turnId));
      for (let sequence = 1; sequence <= 3; sequence++) {
        await Promise.all(starts.map(({ turnId }) => there.append(event(turnId, sequence))));
        await Promise.all(heard.map(({ until }) => until(sequence)));
      }
      await Promise.all(starts.map(({ turnId }) => there.append(endOf(turnId, 4))));
      await Promise.all(heard.map(({ until }) => until(4)));
      for (const { stop } of heard) stop();
      await opened.close();
    });

    it("is heard of where a session is shared, and where it is no longer", async () => {
      await using database = await makeDatabase(cluster!);
      const opened = await openTwo(database);
      const there = owned(opened.there);
      const { sessionKey } = (await there.createTurn(turnStart())).session;
      let heard = Promise.withResolvers<void>();
      opened.here.changes.listenToWithdrawals(() => heard.resolve());
      // At first everybody is called.
      await heard.promise;
      const grantee = { kind: "principal", name: "bob" } as const;
      const share = { grantee, access: "read", createTime: 1 } as const;
      for (const change of [
        () => there.shareSession(sessionKey, share),
        () => there.unshareSession(sessionKey, grantee),
      ]) {
        heard = Promise.withResolvers();
        await change();
        await heard.promise;
      }
      await opened.close();
    });

    it("is looked for by nobody when nobody listens", async () => {
      await using database = await makeDatabase(cluster!);
      const opened = await openTwo(database);
      const { here } = opened;
      const { turnId } = turnStart();
      const stops = [
        here.changes.listenToTurn(turnId, () => {}),
        here.changes.listenToTurns(() => {}),
      ];
      for (const stop of [...stops, ...stops]) stop();
      // Statistics are told when a connection ends.
      await opened.close();
      expect(await looksAt(database)).toBeLessThanOrEqual(2);
    });
  },
);

/** Listens to a turn, and waits until its log has come so far as the store tells behind a call. */
function follow(store: Awaited<ReturnType<typeof openTwo>>["here"], turnId: string) {
  let heard = Promise.withResolvers<void>();
  const stop = store.changes.listenToTurn(turnId, () => heard.resolve());
  const reader = owned(store);
  return {
    stop,
    async until(sequence: number) {
      for (;;) {
        await heard.promise;
        heard = Promise.withResolvers();
        const { length } = await reader.readEvents(turnId, 0, 1_000_000);
        if (length >= sequence) return;
      }
    },
  };
}
