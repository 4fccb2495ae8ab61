import { randomUUID } from "node:crypto";
import pg, { type ClientConfig } from "pg";
import { createLog } from "../../src/log.ts";
import { openPostgres } from "../../src/store/postgres/postgres-store.ts";
import { type Cluster, type SharedCluster, USER } from "./cluster.ts";

const TEMPLATE = "breakglass_template";

/** A database with an empty store, of which each test has a copy: it is made in a tenth of the time. */
export async function makeTemplate(cluster: Cluster): Promise<void> {
  await cluster.query(`CREATE DATABASE ${TEMPLATE} OWNER ${USER}`);
  const store = await openPostgres(
    [hostOf(cluster.urlOf(TEMPLATE))],
    createLog(() => {}),
  );
  await store.close();
}

/** For the titles of tests that want a cluster. */
export function without(cluster: SharedCluster | undefined): string {
  return cluster === undefined ? " (left out: no PostgreSQL here; apt-get install postgresql)" : "";
}

/** A database of a test's own, and how it is connected to. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly host: ClientConfig;
  /** As its owner. */
  query(sql: string): Promise<Record<string, unknown>[]>;
}

/** @param isEmpty - Without a store's schema. */
export async function makeDatabase(cluster: SharedCluster, isEmpty = false): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const template = isEmpty ? "" : `TEMPLATE ${TEMPLATE}`;
  await asked(cluster.adminUrl, `CREATE DATABASE ${name} OWNER ${USER} ${template}`);
  const url = cluster.url + name;
  return {
    url,
    host: hostOf(url),
    query: (sql) => asked(url, sql),
    async [Symbol.asyncDispose]() {
      await asked(cluster.adminUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

export function hostOf(url: string): ClientConfig {
  const { hostname, port, username, password, pathname } = new URL(url);
  const database = pathname.slice(1);
  return { host: hostname, port: Number(port), user: username, password, database };
}

async function asked(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
