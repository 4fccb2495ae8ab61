import type { Client } from "pg";
import { alone } from "./migration.ts";

const DAY_MS = 86_400_000;
/** So many days are there before they are needed: who cannot make any for as long has other sorrows. */
const AHEAD_DAYS = 14;
/** What waits for the lock of a partition's table holds up all who come behind it. */
const LOCK_TIMEOUT = "SET lock_timeout = '1s'";

const LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** The first id of a UUIDv7 at a time, in milliseconds. */
function firstId(time: number): string {
  const digits = time.toString(16).padStart(12, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}-0000-0000-000000000000`;
}

function nameOf(day: number): string {
  return `events_${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "_")}`;
}

/** The day of a partition; undefined where it is none of ours. */
function dayOf(name: string): number | undefined {
  const date = /^events_(\d{4})_(\d\d)_(\d\d)$/.exec(name);
  return date === null ? undefined : Date.parse(date.slice(1).join("-")) / DAY_MS;
}

/**
 * Makes the partitions of `events` from yesterday to `AHEAD_DAYS` ahead where they are missing.
 *
 * A table is made by itself and attached then: to make it as a partition would lock all others out of `events`.
 */
export function makePartitions(client: Client, now: number): Promise<void> {
  return alone(client, async () => {
    const today = Math.floor(now / DAY_MS);
    const there = new Set(await listPartitions(client));
    await client.query(LOCK_TIMEOUT);
    for (let day = today - 1; day <= today + AHEAD_DAYS; day++) {
      if (!there.has(nameOf(day))) await makePartition(client, day);
    }
  });
}

/** From this day on ids are not of their times: those of turns that were recorded before ids were. */
const NO_DAY = Date.UTC(2200, 0, 1) / DAY_MS;
/** Their partition. It is kept. */
const OF_NO_DAY = "events_of_no_day";

/** Makes the partitions that turns' events go to, where they are missing. @param rows - The id of each turn. */
export async function makePartitionsOf(
  client: Client,
  rows: AsyncIterable<readonly unknown[]> | Iterable<readonly unknown[]>,
): Promise<void> {
  const days = new Set<number>();
  for await (const [turnId] of rows) {
    const time = Number.parseInt(String(turnId).replace("-", "").slice(0, 12), 16);
    days.add(Math.min(Math.floor(time / DAY_MS), NO_DAY));
  }
  await alone(client, async () => {
    const there = new Set(await listPartitions(client));
    for (const day of days) {
      if (day < NO_DAY && !there.has(nameOf(day))) await makePartition(client, day);
    }
    if (!days.has(NO_DAY) || there.has(OF_NO_DAY)) return;
    await attach(client, OF_NO_DAY, firstId(NO_DAY * DAY_MS), LAST_ID);
  });
}

async function makePartition(client: Client, day: number): Promise<void> {
  await attach(client, nameOf(day), firstId(day * DAY_MS), firstId((day + 1) * DAY_MS));
}

/** Makes the partition of the ids from one to before another. */
async function attach(client: Client, name: string, from: string, to: string): Promise<void> {
  // The check says that no row has to be looked at.
  await client.query(`CREATE TABLE IF NOT EXISTS ${name} (LIKE events INCLUDING ALL,
    CONSTRAINT of_day CHECK (turn_id >= '${from}' AND turn_id < '${to}'))`);
  await client.query(`ALTER TABLE ${name} ALTER COLUMN event SET STORAGE EXTERNAL`);
  await client.query(
    `ALTER TABLE events ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`,
  );
}

/**
 * Drops the partitions of days that are over and of which no turn is on record, in one piece instead of row by row. Answers
 * their names.
 *
 * @param before - The days that ended before this time, in milliseconds.
 */
export async function dropPartitions(client: Client, before: number): Promise<string[]> {
  const dropped: string[] = [];
  await client.query(LOCK_TIMEOUT);
  await dropDetached(client);
  for (const name of await listPartitions(client)) {
    const day = dayOf(name);
    if (day === undefined || (day + 1) * DAY_MS > before) continue;
    const [from, to] = [firstId(day * DAY_MS), firstId((day + 1) * DAY_MS)];
    const onRecord = await client.query(
      `SELECT 1 FROM turns JOIN sessions USING (session_key) WHERE turn_id >= $1 AND turn_id < $2
        AND (end_time IS NULL OR (turns.remove_time IS NULL AND sessions.remove_time IS NULL)) LIMIT 1`,
      [from, to],
    );
    if (onRecord.rowCount !== 0) continue;
    // Not at once, which would lock all others out of `events`.
    await client.query(`ALTER TABLE events DETACH PARTITION ${name} CONCURRENTLY`);
    await client.query(`DROP TABLE ${name}`);
    dropped.push(name);
  }
  return dropped;
}

/** What one that was interrupted left. */
async function dropDetached(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
      WHERE inhparent = 'events'::regclass AND inhdetachpending`,
  );
  for (const { name } of rows) {
    await client.query(`ALTER TABLE events DETACH PARTITION ${name} FINALIZE`);
    await client.query(`DROP TABLE ${name}`);
  }
}

/** Those that are attached. */
export async function listPartitions(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
      WHERE inhparent = 'events'::regclass AND NOT inhdetachpending ORDER BY relname`,
  );
  return rows.map(({ name }) => name);
}
