import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Client } from "pg";
import { postgresAddress } from "../config/kinds.ts";
import type { PostgresAddress } from "../config/postgres-address.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { makeDirectory } from "../data-directory.ts";
import { createLog } from "../log.ts";
import type { MigrationPlan } from "../store/common/migration-plan.ts";
import { copiedTables } from "../store/copy/copied-table.ts";
import { type CopyProgress, type CopyReport, copyStore } from "../store/copy/copy-store.ts";
import { tablesOf } from "../store/copy/postgres-side.ts";
import { openPostgresSource } from "../store/copy/postgres-source.ts";
import { openPostgresTarget } from "../store/copy/postgres-target.ts";
import { openSqliteSource } from "../store/copy/sqlite-source.ts";
import { openSqliteTarget } from "../store/copy/sqlite-target.ts";
import { planPostgresMigration } from "../store/postgres/migration-plan.ts";
import { type OwnName, openOwnName } from "../store/postgres/own-name.ts";
import { Primary } from "../store/postgres/primary.ts";
import { explainPostgresError } from "../store/postgres/write-errors.ts";
import { planSqliteMigration } from "../store/sqlite/migration-plan.ts";
import { clientsOf, openStore } from "./store.ts";

const FILE = "breakglass.db";
/** See `openOwnName`. */
const NAME_FILE = "server.db";

/** What would become of the schema of the store that the settings name. */
export async function planMigration(config: ServeConfig): Promise<MigrationPlan> {
  if (config.store === undefined) return planSqliteMigration(join(config.dataDir, FILE));
  const warnings: string[] = [];
  const log = createLog((line) => void warnings.push(String(JSON.parse(line).msg)));
  try {
    const hosts = clientsOf(config.store, config.storePasswordFile);
    const client = await new Primary(hosts, log, undefined).connect("breakglass migration");
    try {
      const plan = await planPostgresMigration(client, log);
      return { ...plan, notes: [...plan.notes, ...warnings] };
    } finally {
      await client.end().catch(() => {});
    }
  } catch (error) {
    return { from: 0, to: 0, steps: [], obstacles: [explainPostgresError(error)], notes: [] };
  }
}

/** Brings it forward, as a server does when it starts. @throws ConfigError where it cannot be used. */
export async function migrateStore(config: ServeConfig): Promise<void> {
  const store = await openStore(config, SILENT);
  await store.close();
}

/** Where a store is that is copied. */
export type StorePlace =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "database"; readonly address: PostgresAddress };

/** Reads a place as an operator writes it. @throws Error with a line for the operator. */
export function readStorePlace(text: string): StorePlace {
  if (!/^[a-z]+:\/\//i.test(text)) {
    const path = resolve(text);
    const isFile = existsSync(path) ? statSync(path).isFile() : path.endsWith(".db");
    return { kind: "file", path: isFile ? path : join(path, FILE) };
  }
  const address = postgresAddress.schema.safeParse(text).data;
  // The address may have a password.
  if (address === undefined)
    throw new Error(`it takes a file, a folder, or ${postgresAddress.takes}`);
  return { kind: "database", address };
}

/** What came of a copy. */
export interface CopiedStore extends CopyReport {
  /** The server, by its name in a database, whose disk the file's is. Undefined: it has none. */
  readonly ownName: string | undefined;
}

/**
 * Copies a store from a file to a database, or back, and compares the two.
 *
 * The file's server has no name in its file; in a database it goes by the name of its disk, in `server.db` beside it.
 *
 * @param passwordFile - As `BREAKGLASS_STORE_PASSWORD_FILE`.
 * @throws Error with a line for the operator.
 */
export async function copyBetween(
  from: StorePlace,
  to: StorePlace,
  passwordFile: string | undefined,
  tell: CopyProgress,
): Promise<CopiedStore> {
  if (from.kind === to.kind) {
    throw new Error("one of the two has to be a file or a folder, and the other postgres://…");
  }
  await using cleanup = new AsyncDisposableStack();
  const own = ownNameOf(from, to);
  cleanup.defer(() => own?.close());
  const open = async (place: StorePlace): Promise<Client> => {
    const { address } = place as StorePlace & { kind: "database" };
    const hosts = clientsOf(address, passwordFile);
    return new Primary(hosts, SILENT, undefined).connect("breakglass copy");
  };
  if (from.kind === "file") {
    const source = cleanup.use(await at("FROM", () => openSqliteSource(from.path, own?.name)));
    const client = await at("TO", () => open(to));
    const target = cleanup.use(await at("TO", () => openPostgresTarget(client, SILENT)));
    const tables = copiedTables(source.schema, await tablesOf(client));
    return { ownName: own?.name, ...(await copyStore(source, target, tables, tell)) };
  }
  const client = await at("FROM", () => open(from));
  const source = cleanup.use(await at("FROM", () => openPostgresSource(client)));
  const { path } = to as StorePlace & { kind: "file" };
  const target = cleanup.use(await at("TO", () => openSqliteTarget(path, own?.name)));
  const tables = copiedTables(target.schema, await tablesOf(client));
  return { ownName: own?.name, ...(await copyStore(source, target, tables, tell)) };
}

const SILENT = createLog(() => {});

/** The name of the file's disk, which no server has meanwhile. A file that is copied into has the one that is there, if any. */
function ownNameOf(from: StorePlace, to: StorePlace): OwnName | undefined {
  if (from.kind === "file") {
    // A folder without a store gets no name.
    return existsSync(from.path) ? openOwnName(join(dirname(from.path), NAME_FILE)) : undefined;
  }
  if (to.kind !== "file") return undefined;
  makeDirectory(dirname(to.path));
  const path = join(dirname(to.path), NAME_FILE);
  return existsSync(path) ? openOwnName(path) : undefined;
}

async function at<T>(which: "FROM" | "TO", work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${which}: ${explainPostgresError(error)}`, { cause: error });
  }
}
