import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ClientConfig } from "pg";
import { ConfigError } from "../config/config-error.ts";
import type { PostgresAddress, PostgresTls } from "../config/postgres-address.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { keepStorePrivate, prepareDirectory } from "../data-directory.ts";
import type { Log } from "../log.ts";
import { type OwnName, openOwnName } from "../store/postgres/own-name.ts";
import { openPostgres, type PostgresDatabase } from "../store/postgres/postgres-store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import type { Store } from "../store/store.ts";
import type { StoreLoad } from "../store/store-load.ts";
import { leaseTermsOf } from "./lease-terms.ts";

/** A server's store, and how it does. */
export interface ServedStore extends Store {
  load(): StoreLoad;
}

/**
 * Opens the store that the settings name.
 *
 * @param address - What other servers on it reach this one by. Empty: they do not.
 * @throws ConfigError where it cannot be used.
 */
export async function openStore(config: ServeConfig, log: Log, address = ""): Promise<ServedStore> {
  prepareDirectory("BREAKGLASS_DATA_DIR", config.dataDir, log);
  prepareDirectory("BREAKGLASS_SESSIONS_DIR", config.sessionsDir, log);
  if (config.store !== undefined) return openPostgresStore(config, config.store, address, log);
  const path = join(config.dataDir, "breakglass.db");
  try {
    keepStorePrivate(path, log);
    return await openSqliteStore(path);
  } catch (error) {
    throw new ConfigError(
      `BREAKGLASS_DATA_DIR is ${JSON.stringify(config.dataDir)}: ${(error as Error).message}`,
    );
  }
}

async function openPostgresStore(
  config: ServeConfig,
  hosts: PostgresAddress,
  address: string,
  log: Log,
): Promise<ServedStore> {
  const terms = leaseTermsOf(config);
  let own: OwnName | undefined;
  let database: PostgresDatabase | undefined;
  try {
    own = openOwnName(join(config.dataDir, "server.db"));
    database = await openPostgres(clientsOf(hosts, config.storePasswordFile), log);
    const store = await database.openStore(own.name, terms, address);
    return served(store, database, own);
  } catch (error) {
    await database?.close();
    own?.close();
    throw new ConfigError(`BREAKGLASS_STORE: ${(error as Error).message}`);
  }
}

function served(store: Store, database: PostgresDatabase, own: OwnName): ServedStore {
  return {
    ...store,
    load: () => database.load(),
    async close() {
      // A database that is away ends no lease: it runs out.
      await store.close().catch(() => {});
      await database.close();
      own.close();
    },
  };
}

/** What it takes to connect to each host. */
export function clientsOf(
  address: PostgresAddress,
  passwordFile: string | undefined,
): ClientConfig[] {
  const { user, database, tls } = address;
  const password =
    passwordFile === undefined ? address.password : readFileSync(passwordFile, "utf8").trim();
  const common: ClientConfig = {
    ...(user === undefined ? {} : { user }),
    ...(database === undefined ? {} : { database }),
    ...(password === undefined ? {} : { password }),
    ssl: tls === undefined ? false : tlsOf(tls),
  };
  return address.hosts.map(({ host, port }) => ({ ...common, host, port }));
}

function tlsOf({ rootCert, cert, key }: PostgresTls): ClientConfig["ssl"] {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const [ca, ours, ourKey] = [read(rootCert), read(cert), read(key)];
  return {
    rejectUnauthorized: true,
    ...(ca && { ca }),
    ...(ours && { cert: ours }),
    ...(ourKey && { key: ourKey }),
  };
}
