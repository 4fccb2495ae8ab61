import { describe, inject } from "vitest";
import { createLog } from "../../src/log.ts";
import { openPostgres } from "../../src/store/postgres/postgres-store.ts";
import type { StoreUnderTest } from "../store/contract/store-under-test.ts";
import { describeStore } from "../store/store-contract.ts";
import { makeDatabase, without } from "./databases.ts";

const cluster = inject("cluster");

async function open(): Promise<StoreUnderTest> {
  const database = await makeDatabase(cluster!);
  let now = 0;
  const openDatabase = () =>
    openPostgres(
      [database.host],
      createLog(() => {}),
      () => now,
    );
  let opened = await openDatabase();
  let store = await opened.openStore("the server");
  return {
    get store() {
      return { ...store, close: () => opened.close() };
    },
    async reopen() {
      await opened.close();
      opened = await openDatabase();
      store = await opened.openStore("the server");
      return store;
    },
    openFor: (owner, terms, address) => opened.openStore(owner, terms, address),
    passLeases(ms) {
      now += ms;
    },
    async [Symbol.asyncDispose]() {
      await opened.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf(cluster === undefined)(
  `the store in a PostgreSQL database${without(cluster)}`,
  () => {
    describeStore(open);
  },
);
