import type { DatabaseSync } from "node:sqlite";
import { FILE_OWNER } from "../sqlite/file-leases.ts";
import { Statements } from "../sqlite/statements.ts";
import type {
  CopiedColumn,
  CopiedRow,
  CopiedTable,
  CopiedValue,
  CopySide,
  Counters,
  Schema,
} from "./copied-table.ts";

/** The columns with the names of servers. */
const SERVER_COLUMNS: ReadonlySet<string> = new Set(["home", "owner"]);
/** See AuditTable. */
const CHAIN_ROOM = 2 ** 32;
/** What an index of texts may have in another order than PostgreSQL, which has no zero in a text. */
const UNORDERED = "conversations";

/** The columns of a file's tables. Those of indexes and of SQLite itself are left out. */
function schemaOf(database: DatabaseSync): Schema {
  const sql = `SELECT name FROM pragma_table_list
    WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'`;
  const names = database
    .prepare(sql)
    .all()
    .map(({ name }) => String(name));
  return new Map(
    names.map((name) => {
      const columns = database.prepare("SELECT name FROM pragma_table_info(?)").all(name);
      return [name, columns.map((column) => String(column.name))];
    }),
  );
}

/** A store in a file. */
export class SqliteSide implements CopySide {
  readonly schema: Schema;
  protected readonly database: DatabaseSync;
  protected readonly statements: Statements;
  protected readonly ownName: string | undefined;

  /**
   * @param database - It is closed with this.
   * @param ownName - By which the file's server goes in a database of several. Undefined: none that is known there.
   */
  constructor(database: DatabaseSync, ownName: string | undefined) {
    this.database = database;
    this.schema = schemaOf(database);
    this.statements = new Statements(database);
    this.ownName = ownName;
    database.function("as_copied", { deterministic: true }, (text) => asCopied(String(text)));
  }

  *rows(table: CopiedTable): Iterable<CopiedRow> {
    const { columns } = table;
    for (const row of this.statements.iterate(this.#selectOf(table))) {
      yield columns.map((column) => this.#valueOf(row[column.name] as CopiedValue, column));
    }
  }

  count({ name }: CopiedTable): number {
    return Number(this.statements.get(`SELECT count(*) AS count FROM ${name}`)?.count);
  }

  counters(): Counters {
    const given = (table: string) => {
      const sql = "SELECT max(seq) AS seq FROM sqlite_sequence WHERE name = ?";
      return Number(this.statements.get(sql, table)?.seq ?? 0);
    };
    return {
      epoch: Number(this.statements.get("SELECT epoch FROM lease")?.epoch),
      turnKey: given("turns"),
      outboxKey: given("outbox"),
      change: given("turn_changes"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.database.close();
  }

  #selectOf({ name, columns, key }: CopiedTable): string {
    if (name === "events") {
      return `SELECT turn_id, sequence, event FROM turns CROSS JOIN events USING (turn_key)
        ORDER BY turn_key, sequence`;
    }
    if (name === "audit") {
      // In the order of the names as the other store has them.
      return `SELECT owner, place - number * ${CHAIN_ROOM} AS sequence, line FROM audit_chains
        CROSS JOIN audit ON place > number * ${CHAIN_ROOM} AND place < (number + 1) * ${CHAIN_ROOM}
        ORDER BY iif(owner = '${FILE_OWNER}', '${this.ownName ?? FILE_OWNER}', owner), place`;
    }
    const selected = columns.map(({ name: column, type }) =>
      type === "bytea" ? `CAST(${column} AS BLOB) AS ${column}` : column,
    );
    const order = key.map((column) => (name === UNORDERED ? `as_copied(${column})` : column));
    return `SELECT ${selected.join(", ")} FROM ${name} ORDER BY ${order.join(", ")}`;
  }

  #valueOf(value: CopiedValue, { name }: CopiedColumn): CopiedValue {
    if (typeof value !== "string") return value;
    if (SERVER_COLUMNS.has(name) && value === FILE_OWNER) return this.ownName ?? value;
    return asCopied(value);
  }
}

/** Whether a column has names of servers. */
export function namesServers({ name }: CopiedColumn): boolean {
  return SERVER_COLUMNS.has(name);
}

/** PostgreSQL has no place for a zero in a text, which an agent may put into an id. */
function asCopied(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text;
}
