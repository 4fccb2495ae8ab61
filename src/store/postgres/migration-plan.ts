import type { Client } from "pg";
import type { Log } from "../../log.ts";
import { type MigrationPlan, stepsFrom } from "../common/migration-plan.ts";
import { checkDatabase } from "./database-checks.ts";
import { migrate } from "./migration.ts";
import { SCHEMA_VERSION, STEPS } from "./schema.ts";

/** Says what a server that opens a database would do to its schema. Changes nothing. @param log - Gets what it would warn of. */
export async function planPostgresMigration(client: Client, log: Log): Promise<MigrationPlan> {
  const obstacles: string[] = [];
  const unless = async <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: Error) => void obstacles.push(error.message));
  await unless(checkDatabase(client, log));
  const planned = await unless(migrate(client, true));
  if (planned === undefined) {
    return { from: 0, to: SCHEMA_VERSION, steps: [], obstacles, notes: [] };
  }
  const { from, to } = planned;
  const steps = stepsFrom(STEPS, from);
  if (steps.length > 0) obstacles.push(...(await lacksOf(client)));
  const notes = from > 0 && steps.length > 0 ? await presentIn(client) : [];
  return { from, to, steps, obstacles, notes };
}

async function lacksOf(client: Client): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT current_schema() AS schema, current_user AS name,
      coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create`,
  );
  const { schema, name, may_create: mayCreate } = rows[0];
  if (mayCreate) return [];
  return [`the user ${name} may not create in the schema ${schema ?? "of its search_path"}`];
}

async function presentIn(client: Client): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT DISTINCT replica_id FROM replicas WHERE NOT fenced
      AND (lease_until IS NULL OR lease_until >= extract(epoch FROM clock_timestamp()) * 1000)`,
  );
  return rows.map(({ replica_id: name }) => `a server uses it, by the name ${name}`);
}
