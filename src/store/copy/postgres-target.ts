import type { Client } from "pg";
import type { Log } from "../../log.ts";
import { byteaArray, intArray, uuidArray } from "../postgres/binary-arrays.ts";
import { checkDatabase } from "../postgres/database-checks.ts";
import { makePartitions, makePartitionsOf } from "../postgres/event-partitions.ts";
import { migrate } from "../postgres/migration.ts";
import { indexedText } from "../postgres/prompt-text.ts";
import { beginCopy, endCopy, isUnfinishedCopy, takeCopying } from "../postgres/unfinished-copy.ts";
import { explainPostgresError } from "../postgres/write-errors.ts";
import type {
  CopiedRow,
  CopiedTable,
  CopiedValue,
  CopySide,
  CopyTarget,
  Counters,
} from "./copied-table.ts";
import { PostgresSide, tablesOf } from "./postgres-side.ts";

/** What one statement writes: so many rows, and about so many bytes. */
const ROWS_AT_ONCE = 256;
const BYTES_AT_ONCE = 1024 * 1024;
/** Of leases alone. */
const NOT_COPIED: ReadonlySet<string> = new Set([
  ...["replicas", "schema_version", "newest_change", "copy_under_way"],
]);

/**
 * Takes a database to copy into: an empty one, or one that an interrupted copy was made into, which is emptied.
 *
 * @param client - It is ended with what is answered.
 * @throws Error with a message for the operator, where it is not empty or cannot be used.
 */
export async function openPostgresTarget(client: Client, log: Log): Promise<PostgresTarget> {
  try {
    await checkDatabase(client, log);
    await takeCopying(client);
    const isUnfinished = await isUnfinishedCopy(client);
    await migrate(client, false, isUnfinished);
    const tables = await tablesOf(client);
    const names = [...tables.keys()].filter((name) => !NOT_COPIED.has(name));
    if (isUnfinished) {
      await client.query(`TRUNCATE ${names.join(", ")} RESTART IDENTITY`);
    } else {
      await refuseUsed(client, [...names, "replicas"]);
      await beginCopy(client);
      // A server that came in between is there.
      await refuseUsed(client, ["replicas"]).catch(async (error) => {
        await endCopy(client);
        throw error;
      });
    }
    // What is complete is committed so that it is on disk, with all before it.
    await client.query("SET synchronous_commit = off; SET idle_in_transaction_session_timeout = 0");
    return new PostgresTarget(client);
  } catch (error) {
    await client.end().catch(() => {});
    throw new Error(explainPostgresError(error), { cause: error });
  }
}

async function refuseUsed(client: Client, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    const { rows } = await client.query(`SELECT 1 FROM ${table} LIMIT 1`);
    if (rows.length === 0) continue;
    throw new Error(
      `it is not empty: a server has used it (there are rows in ${table}); make a database of its own`,
    );
  }
}

/** A new store in a database. */
export class PostgresTarget extends PostgresSide implements CopyTarget {
  /** Makes the partitions of the days that the source has turns of. */
  async begin(source: CopySide): Promise<void> {
    const turnIds = source.rows({ name: "turns", columns: [TURN_ID], key: ["turn_key"] });
    await makePartitions(this.client, Date.now());
    await makePartitionsOf(this.client, turnIds);
  }

  async write(table: CopiedTable, rows: ReturnType<CopySide["rows"]>): Promise<void> {
    let batch: CopiedRow[] = [];
    let bytes = 0;
    const flush = async () => {
      if (batch.length === 0) return;
      if (table.name === "events") await this.#appendEvents(batch);
      else await this.#insert(table, batch);
      batch = [];
      bytes = 0;
    };
    for await (const row of rows) {
      batch.push(row);
      for (const value of row) bytes += typeof value === "number" ? 8 : (value?.length ?? 0);
      if (batch.length === ROWS_AT_ONCE || bytes >= BYTES_AT_ONCE) await flush();
    }
    await flush();
  }

  async setCounters({ epoch, turnKey, outboxKey, change }: Counters): Promise<void> {
    const given = { turns: ["turn_key", turnKey], outbox: ["outbox_key", outboxKey] } as const;
    const all = { ...given, replicas: ["incarnation", epoch] } as const;
    for (const [table, [column, last]] of Object.entries(all)) {
      const sql = `SELECT setval(pg_get_serial_sequence($1, $2), greatest($3::bigint, 1), $3 > 0)`;
      await this.client.query(sql, [table, column, last]);
    }
    await this.client.query("UPDATE newest_change SET cursor = $1", [Math.max(change, 1)]);
    // Cursors are of a transaction.
    await this.client.query("BEGIN");
  }

  async complete(): Promise<void> {
    await this.client.query("COMMIT");
    await endCopy(this.client);
    await this.client.query("ANALYZE");
  }

  async #appendEvents(rows: readonly CopiedRow[]): Promise<void> {
    const text = `INSERT INTO events (turn_id, sequence, event)
      SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[])`;
    const values = [
      uuidArray(rows.map(([turnId]) => String(turnId))),
      intArray(rows.map(([, sequence]) => Number(sequence))),
      byteaArray(rows.map(([, , event]) => event as Uint8Array)),
    ];
    await this.client.query({ name: "append", text, values });
  }

  async #insert({ name, columns }: CopiedTable, rows: readonly CopiedRow[]): Promise<void> {
    const names = columns.map((column) => column.name);
    const prompt = name === "turns" ? names.indexOf("prompt") : -1;
    if (prompt >= 0) names.push("searched_text", "trigrams");
    const values = rows.flatMap((row) => [
      ...row.map(sent),
      ...(prompt < 0 ? [] : searchedOf(row[prompt] as Uint8Array)),
    ]);
    const width = names.length;
    const places = rows.map((_, row) => `(${names.map((_, at) => `$${row * width + at + 1}`)})`);
    const text = `INSERT INTO ${name} (${names}) OVERRIDING SYSTEM VALUE VALUES ${places}`;
    await this.client.query({ text, values });
  }
}

const TURN_ID = { name: "turn_id", type: "uuid" } as const;

function searchedOf(prompt: Uint8Array): (string | string[])[] {
  const { text, trigrams } = indexedText(Buffer.from(prompt).toString());
  return [text, trigrams];
}

function sent(value: CopiedValue): CopiedValue {
  // pg takes other views of bytes for objects.
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}
