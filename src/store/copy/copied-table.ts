/** A value as it is the same of every store: a truth is 0 or 1, a prompt its bytes, a server its name. */
export type CopiedValue = number | string | Uint8Array | null;

/** A row of a table, by the table's columns. */
export type CopiedRow = readonly CopiedValue[];

/** A table that both stores have. */
export interface CopiedTable {
  readonly name: string;
  readonly columns: readonly CopiedColumn[];
  /** The columns by which rows are told apart, and in whose order they are read. */
  readonly key: readonly string[];
}

/** What both stores have of a row. */
export interface CopiedColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** As PostgreSQL calls them. */
export type ColumnType = "number" | "boolean" | "text" | "uuid" | "bytea";

/** What has been given out, and is never given out again. */
export interface Counters {
  /** The newest epoch of a lease. */
  readonly epoch: number;
  readonly turnKey: number;
  readonly outboxKey: number;
  /** The cursor of the newest change of all turns. */
  readonly change: number;
}

/** One of the two stores. Nobody else has it open. Who opened it disposes of it. */
export interface CopySide extends AsyncDisposable {
  /** All rows of a table, in the order of its key. So few are in memory at a time as their sizes ask for. */
  rows(table: CopiedTable): AsyncIterable<CopiedRow> | Iterable<CopiedRow>;
  /** How many rows there are, counted by the store itself. */
  count(table: CopiedTable): Promise<number> | number;
  counters(): Promise<Counters> | Counters;
}

/** The one that is written. It is empty, and no server uses it before `complete`. */
export interface CopyTarget extends CopySide {
  /** Makes it ready for the rows of a source. */
  begin(source: CopySide): Promise<void>;
  write(table: CopiedTable, rows: ReturnType<CopySide["rows"]>): Promise<void>;
  /** The last of what is written. From then on it is read. */
  setCounters(counters: Counters): Promise<void> | void;
  /** From now on a server may use it. */
  complete(): Promise<void>;
}

/** The columns of the tables of a store's schema, by the tables' names. */
export type Schema = ReadonlyMap<string, readonly string[]>;

/** What the tables that are in PostgreSQL are, beside their columns. */
export interface TypedTable {
  readonly columns: ReadonlyMap<string, ColumnType>;
  readonly key: readonly string[];
}

/** What is of one store alone, or follows from what is copied: it is made anew in the other. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  // Leases and what counts their epochs: see `Counters`.
  ...["lease", "replicas", "writers"],
  ...["schema_version", "newest_change", "copy_under_way"],
  // By triggers, of shares and turns.
  "shared_turns",
  // Chains are told apart by numbers there: see AuditTable.
  "audit_chains",
]);

/** By what prompts are searched, in each store another way. */
const MADE_ANEW: ReadonlySet<string> = new Set([
  "turns.search_key",
  "turns.searched_text",
  "turns.trigrams",
]);

/** Tables whose rows are told apart by other columns in SQLite: see SqliteSide. */
const OTHERWISE_IN_SQLITE: ReadonlySet<string> = new Set(["events", "audit"]);

/** Others refer to these. */
const FIRST = ["sessions", "turns"];

/**
 * The tables to be copied, in an order in which each comes behind those that it refers to: all that both stores have. A new
 * one is copied by itself, if it is named alike in both, and its columns too.
 *
 * @throws Error where one has what the other has no place for.
 */
export function copiedTables(
  sqlite: Schema,
  postgres: ReadonlyMap<string, TypedTable>,
): CopiedTable[] {
  const names = [...postgres.keys()].filter((name) => !LEFT_OUT.has(name));
  const more = [...sqlite.keys()].filter((name) => !LEFT_OUT.has(name) && !postgres.has(name));
  const tables = names.toSorted().map((name) => {
    const { columns, key } = postgres.get(name)!;
    const ours = OTHERWISE_IN_SQLITE.has(name) ? [...columns.keys()] : (sqlite.get(name) ?? []);
    const apart = new Set(columns.keys()).symmetricDifference(new Set(ours));
    for (const column of apart) {
      if (!MADE_ANEW.has(`${name}.${column}`)) more.push(`${name}.${column}`);
    }
    const common = [...columns].filter(([column]) => !apart.has(column));
    return { name, key, columns: common.map(([column, type]) => ({ name: column, type })) };
  });
  if (more.length > 0) throw new Error(`nothing is known of how to copy ${more.join(", ")}`);
  const rank = (name: string) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return tables.sort((one, other) => rank(one.name) - rank(other.name));
}
