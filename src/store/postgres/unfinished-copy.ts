import type { Client } from "pg";

/** Of all who copy into a database, one at a time: any number that is ours. */
const LOCK = 7_308_604_897;

/**
 * A database that is copied into says so until the copy is complete: `copy_under_way` is there, and no lease can be opened,
 * by a server of whatever version.
 */
const BEGIN = `CREATE TABLE copy_under_way (time timestamptz NOT NULL DEFAULT now());
  CREATE FUNCTION refuse_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'a copy into the database is not finished';
  END $$;
  CREATE TRIGGER refuse_lease BEFORE INSERT ON replicas FOR EACH STATEMENT EXECUTE FUNCTION refuse_lease();`;
const END =
  "DROP TRIGGER refuse_lease ON replicas; DROP FUNCTION refuse_lease(); DROP TABLE copy_under_way;";

/** Marks a database as copied into. From then on no lease is opened in it; one that was opened before is there to be seen. */
export async function beginCopy(client: Client): Promise<void> {
  await client.query(`BEGIN; ${BEGIN} COMMIT`);
}

/** A server may use it, and everything that was committed before is on disk. */
export async function endCopy(client: Client): Promise<void> {
  await client.query(`SET synchronous_commit = on; BEGIN; ${END} COMMIT`);
}

/** Whether a copy into it was begun and not completed. */
export async function isUnfinishedCopy(client: Client): Promise<boolean> {
  const { rows } = await client.query("SELECT to_regclass('copy_under_way') IS NOT NULL AS is");
  return rows[0].is;
}

/** @throws Error with a message for the operator, where a copy into it was begun and not completed. */
export async function refuseUnfinishedCopy(client: Client): Promise<void> {
  if (await isUnfinishedCopy(client)) {
    throw new Error(
      "a copy into it is under way or was interrupted: breakglass store copy with the same two does it anew",
    );
  }
}

/** Takes the right to copy into a database, for as long as the connection lasts. @throws Error where another has it. */
export async function takeCopying(client: Client): Promise<void> {
  const { rows } = await client.query("SELECT pg_try_advisory_lock($1) AS taken", [LOCK]);
  if (!rows[0].taken) throw new Error("another copy into it is under way");
}
