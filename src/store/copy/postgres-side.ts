import type { Client } from "pg";
import type { Row } from "../common/row.ts";
import type {
  ColumnType,
  CopiedRow,
  CopiedTable,
  CopiedValue,
  CopySide,
  Counters,
  TypedTable,
} from "./copied-table.ts";

/** So many rows are read at once of a table whose rows are small, and of one whose are not. */
const ROWS_AT_ONCE = 256;
const LARGE_AT_ONCE = 8;
/** Of events so many at most, and so many bytes, at least one. */
const EVENTS_AT_ONCE = 512;
const EVENT_BYTES_AT_ONCE = 512 * 1024;

const TYPES: ReadonlyMap<string, ColumnType> = new Map([
  ["int4", "number"],
  ["int8", "number"],
  ["float8", "number"],
  ["bool", "boolean"],
  ["text", "text"],
  ["uuid", "uuid"],
  ["bytea", "bytea"],
]);

/** The tables of a database's schema, without partitions. */
export async function tablesOf(client: Client): Promise<Map<string, TypedTable>> {
  const { rows } = await client.query<Record<string, string>>(
    `SELECT relname AS table, attname AS column, typname AS type FROM pg_class
      JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped JOIN pg_type ON pg_type.oid = atttypid
      WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND relname !~ '^events_' ORDER BY relname, attnum`,
  );
  const keys = await client.query<{ table: string; column: string }>(
    `SELECT relname AS table, attname AS column FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
      CROSS JOIN LATERAL unnest(indkey) WITH ORDINALITY AS part (attnum, place)
      JOIN pg_attribute ON attrelid = indrelid AND pg_attribute.attnum = part.attnum
      WHERE indisprimary AND relnamespace = current_schema()::regnamespace AND NOT relispartition ORDER BY relname, place`,
  );
  const ofTable = Map.groupBy(rows, ({ table }) => table!);
  const keysOf = Map.groupBy(keys.rows, ({ table }) => table);
  return new Map(
    Array.from(ofTable, ([table, columns]) => {
      const typed = columns.map(
        ({ column, type }) => [column!, TYPES.get(type!) ?? "text"] as const,
      );
      const key = (keysOf.get(table) ?? []).map(({ column }) => column);
      return [table, { columns: new Map(typed), key }];
    }),
  );
}

/** A store in a database. */
export class PostgresSide implements CopySide {
  protected readonly client: Client;

  /** @param client - In a transaction while it is read. It is ended with this. */
  constructor(client: Client) {
    this.client = client;
  }

  async *rows(table: CopiedTable): AsyncIterable<CopiedRow> {
    if (table.name === "events") {
      yield* this.#events();
      return;
    }
    const { name, columns, key } = table;
    const selected = columns.map((column) => column.name).join(", ");
    const isLarge = columns.some(({ type }) => type === "bytea");
    const select = `SELECT ${selected} FROM ${name} ORDER BY ${key.join(", ")}`;
    for await (const row of this.#fetched(select, isLarge ? LARGE_AT_ONCE : ROWS_AT_ONCE)) {
      yield columns.map((column) => copiedValue(row[column.name]));
    }
  }

  async count({ name }: CopiedTable): Promise<number> {
    return Number((await this.#first(`SELECT count(*) AS count FROM ${name}`))?.count);
  }

  async counters(): Promise<Counters> {
    const given = async (table: string, column: string) => {
      const name = `pg_get_serial_sequence('${table}', '${column}')`;
      const row = await this.#first(`SELECT coalesce(pg_sequence_last_value(${name}), 0) AS last`);
      return Number(row?.last);
    };
    return {
      epoch: await given("replicas", "incarnation"),
      turnKey: await given("turns", "turn_key"),
      outboxKey: await given("outbox", "outbox_key"),
      change: Number((await this.#first("SELECT cursor FROM newest_change"))?.cursor),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.end().catch(() => {});
  }

  /** Turn by turn: of one alone the database knows the order without sorting all. */
  async *#events(): AsyncIterable<CopiedRow> {
    const next = `SELECT sequence, event FROM (
        SELECT sequence, event, sum(octet_length(event)) OVER (ORDER BY sequence) - octet_length(event) AS before
        FROM (SELECT * FROM events WHERE turn_id = $1 AND sequence > $2 ORDER BY sequence LIMIT ${EVENTS_AT_ONCE}) AS next
      ) AS counted WHERE before < ${EVENT_BYTES_AT_ONCE} OR before = 0 ORDER BY sequence`;
    const turns = "SELECT turn_id FROM turns ORDER BY turn_key";
    for await (const { turn_id: turnId } of this.#fetched(turns, ROWS_AT_ONCE)) {
      let after = 0;
      for (;;) {
        const values = [turnId, after];
        const { rows } = await this.client.query<Row>({ name: "events", text: next, values });
        for (const { sequence, event } of rows) {
          yield [String(turnId), Number(sequence), event as Uint8Array];
          after = Number(sequence);
        }
        if (rows.length === 0) break;
      }
    }
  }

  async *#fetched(select: string, atOnce: number): AsyncIterable<Row> {
    const cursor = "copied_rows";
    await this.client.query(`DECLARE ${cursor} NO SCROLL CURSOR FOR ${select}`);
    for (;;) {
      const { rows } = await this.client.query<Row>(`FETCH FORWARD ${atOnce} FROM ${cursor}`);
      yield* rows;
      if (rows.length < atOnce) break;
    }
    await this.client.query(`CLOSE ${cursor}`);
  }

  async #first(sql: string): Promise<Row | undefined> {
    return (await this.client.query<Row>(sql)).rows[0];
  }
}

function copiedValue(value: unknown): CopiedValue {
  return typeof value === "boolean" ? Number(value) : (value as CopiedValue);
}
