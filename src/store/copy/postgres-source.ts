import type { Client } from "pg";
import { migrate } from "../postgres/migration.ts";
import { refuseUnfinishedCopy } from "../postgres/unfinished-copy.ts";
import { explainPostgresError } from "../postgres/write-errors.ts";
import { PostgresSide } from "./postgres-side.ts";

/**
 * Takes a database to be copied, as it is in this moment. No server can begin with it until it is disposed of: it waits.
 * A server that is gone without having said so is fenced, so that it never goes on here.
 *
 * @param client - It is ended with what is answered.
 * @throws Error with a message for the operator, where a server uses it or it is not of this version's schema.
 */
export async function openPostgresSource(client: Client): Promise<PostgresSide> {
  try {
    await refuseUnfinishedCopy(client);
    const { from, to } = await migrate(client, true);
    if (from === 0) throw new Error("there is no store");
    if (from < to) {
      throw new Error(
        `its schema is version ${from}, and this version has ${to}: bring it forward first, by breakglass store migrate with BREAKGLASS_STORE set to it`,
      );
    }
    await client.query("SET idle_in_transaction_session_timeout = 0");
    await fenceTheLost(client);
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    // Before the transaction sees anything: who is not among the leases then does not come in.
    await client.query("LOCK TABLE replicas IN SHARE MODE");
    const { rows } = await client.query("SELECT replica_id FROM replicas WHERE NOT fenced LIMIT 1");
    if (rows.length > 0) {
      throw new Error(
        `a server uses it, by the name ${rows[0].replica_id}: end that one first; one that was lost has it for 45 s more`,
      );
    }
    return new PostgresSide(client);
  } catch (error) {
    await client.end().catch(() => {});
    throw new Error(explainPostgresError(error), { cause: error });
  }
}

async function fenceTheLost(client: Client): Promise<void> {
  await client.query(
    `UPDATE replicas SET fenced = true
      WHERE NOT fenced AND lease_until < extract(epoch FROM clock_timestamp()) * 1000`,
  );
}
