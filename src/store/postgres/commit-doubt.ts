import type { Client } from "pg";
import { NODE_TIMERS, type Timers } from "../../stream/timers.ts";
import type { CommitDoubt, WriterName } from "./writing-connection.ts";

/** How often it is looked whether a connection before is gone. */
const LOOK_MS = 50;

/**
 * Whether a commit that is in doubt is there, for good.
 *
 * 1. The connection that was to commit it is ended first, and waited for: it may be about to, and what it was sent may still
 *    lie before it.
 * 2. What is there may be on the primary alone. It is behind a commit that was answered without a warning, so that this one's
 *    standby has it too.
 * 3. What is there may be another server's, which has fenced this one since, and ended the turn at the same place.
 *
 * @throws Error where it cannot be told: ask again.
 */
export async function isThere(
  client: Client,
  writer: WriterName,
  { wrote }: CommitDoubt,
  timers = NODE_TIMERS,
): Promise<boolean> {
  await endOthers(client, writer, timers);
  let isWarned = false;
  client.on("notice", ({ severity }) => {
    isWarned ||= severity === "WARNING";
  });
  // 2.
  await client.query(
    `INSERT INTO writers (writer_id, number) VALUES ($1, 0)
      ON CONFLICT (writer_id) DO UPDATE SET number = writers.number, time = clock_timestamp()`,
    [writer.id],
  );
  if (isWarned) throw new Error("what is there is not where it has to be");
  const { rowCount } =
    "number" in wrote
      ? await client.query("SELECT 1 FROM writers WHERE writer_id = $1 AND number = $2", [
          writer.id,
          wrote.number,
        ])
      : await client.query(
          "SELECT 1 FROM events WHERE turn_id = $1 AND sequence = $2 AND event = $3", // 3.
          [wrote.turnId, wrote.sequence, Buffer.from(wrote.event)],
        );
  return rowCount !== 0;
}

/** 1. */
async function endOthers(client: Client, writer: WriterName, timers: Timers): Promise<void> {
  const sql = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = $1 AND pid <> pg_backend_pid()`;
  while ((await client.query(sql, [writer.application])).rowCount !== 0) {
    await timers.delay(LOOK_MS);
  }
}
