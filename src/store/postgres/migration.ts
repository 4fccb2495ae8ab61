import type { Client } from "pg";
import { SCHEMA_VERSION, STEPS } from "./schema.ts";
import { refuseUnfinishedCopy } from "./unfinished-copy.ts";

/** Of all who bring the schema of a database forward, one at a time: any number that is ours. */
const LOCK = 7_308_604_896;

/** What is to be done to a database's schema. */
export interface Migration {
  /** 0: it has none yet. */
  readonly from: number;
  readonly to: number;
}

/**
 * Makes the schema where it is missing, and brings it forward where it is older. Under a lock: of several servers that start
 * at once one does it, and the others wait.
 *
 * @param dryRun - Nothing is changed.
 * @param isCopied - It is done for who copies into the database. Else one that is copied into is refused.
 * @throws Error with a message for the operator, where the database is another program's or of a newer server.
 */
export function migrate(client: Client, dryRun = false, isCopied = false): Promise<Migration> {
  return alone(client, async () => {
    if (!isCopied) await refuseUnfinishedCopy(client);
    const from = await versionOf(client);
    if (from > SCHEMA_VERSION) {
      throw new Error(
        `its schema is version ${from}, this server knows up to ${SCHEMA_VERSION}: run a newer server`,
      );
    }
    if (!dryRun) {
      for (const [index, step] of STEPS.entries()) {
        if (index >= from) await take(client, index, step);
      }
    }
    return { from, to: SCHEMA_VERSION };
  });
}

/** Does what changes tables while nobody else does. */
export async function alone<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query("SELECT pg_advisory_lock($1)", [LOCK]);
  try {
    return await work();
  } finally {
    await client.query("SELECT pg_advisory_unlock($1)", [LOCK]);
  }
}

async function versionOf(client: Client): Promise<number> {
  const { rows } = await client.query(
    `SELECT to_regclass('schema_version') IS NOT NULL AS has_version,
      EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')) AS has_tables`,
  );
  if (rows[0].has_version) {
    const version = await client.query("SELECT version FROM schema_version");
    return Number(version.rows[0]?.version ?? 0);
  }
  // Nothing is added to another program's database, whatever brought us here.
  if (rows[0].has_tables) throw new Error("it is the database of another program");
  return 0;
}

/** Each step in a transaction of its own: whatever interrupts them, the database is of one version or the next. */
async function take(client: Client, index: number, step: string): Promise<void> {
  const version = `CREATE TABLE IF NOT EXISTS schema_version (version int NOT NULL);
    DELETE FROM schema_version; INSERT INTO schema_version VALUES (${index + 1});`;
  try {
    await client.query(`BEGIN; ${step} ${version} COMMIT`);
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}
