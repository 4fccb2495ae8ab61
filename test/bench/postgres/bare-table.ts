import pg, { type ClientConfig } from "pg";
import { byteaArray, intArray, uuidArray } from "../../../src/store/postgres/binary-arrays.ts";
import type { EventBatch } from "../../../src/store/writes.ts";
import type { Append } from "../written-load.ts";

/** As the store has it. */
const MOST_AT_ONCE = 1000;
const INSERT = {
  name: "insert",
  text: "INSERT INTO bare SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[])",
};

/** A table of the same columns without a store around it: no lease, no partitions, no order that is checked. */
export interface BareTable extends AsyncDisposable {
  /** Inserts what came while the last insert was under way in one statement, as the store does. */
  readonly append: Append;
  /** Reads a turn's events again, in pages of so many. */
  read(turnId: string, page: number): Promise<number>;
}

interface Waiting {
  readonly batch: EventBatch;
  resolve(): void;
  reject(error: unknown): void;
}

export async function openBareTable(host: ClientConfig): Promise<BareTable> {
  const client = new pg.Client(host);
  client.on("error", () => {});
  await client.connect();
  await client.query("DROP TABLE IF EXISTS bare");
  await client.query(`CREATE TABLE bare (turn_id uuid, sequence int, event bytea,
    PRIMARY KEY (turn_id, sequence))`);
  await client.query("ALTER TABLE bare ALTER COLUMN event SET STORAGE EXTERNAL");
  let waiting: Waiting[] = [];
  let isRunning = false;
  const insert = async (group: readonly Waiting[]) => {
    const rows = group.flatMap(({ batch }) =>
      batch.events.map(
        (event, index) => [batch.turnId, batch.firstSequence + index, event] as const,
      ),
    );
    const values = [
      uuidArray(rows.map(([turnId]) => turnId)),
      intArray(rows.map(([, sequence]) => sequence)),
      byteaArray(rows.map(([, , event]) => event)),
    ];
    await client.query({ ...INSERT, values });
  };
  const run = async () => {
    isRunning = true;
    await new Promise(setImmediate);
    while (waiting.length > 0) {
      const group = waiting.splice(0, MOST_AT_ONCE);
      try {
        await insert(group);
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    isRunning = false;
  };
  return {
    append: (batch) =>
      new Promise<void>((resolve, reject) => {
        waiting.push({ batch, resolve, reject });
        if (!isRunning) void run();
      }),
    async read(turnId, page) {
      const text = `SELECT event FROM bare WHERE turn_id = $1 AND sequence > $2 ORDER BY sequence LIMIT ${page}`;
      let last = 0;
      for (;;) {
        const { rows } = await client.query({ name: `read ${page}`, text, values: [turnId, last] });
        if (rows.length === 0) return last;
        last += rows.length;
      }
    },
    async [Symbol.asyncDispose]() {
      waiting = [];
      await client.end();
    },
  };
}
