import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Row } from "../common/row.ts";

/** What can be bound to a statement. */
export type Value = string | number | null | Uint8Array;

/** The statements of one connection, each prepared once. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** The first row; undefined where there is none. */
  get(sql: string, ...values: Value[]): Row | undefined {
    return this.prepare(sql).get(...values);
  }

  /** All rows. */
  all(sql: string, ...values: Value[]): Row[] {
    return this.prepare(sql).all(...values);
  }

  /** The rows one by one, for who may not want all of them. */
  iterate(sql: string, ...values: Value[]): Iterable<Row> {
    return this.prepare(sql).iterate(...values);
  }

  /** Answers how many rows it changed. */
  run(sql: string, ...values: Value[]): number {
    const statement = this.prepare(sql);
    // The key of the row that was inserted last, which comes along, may be larger than a number is exact: the index of
    // prompts has such.
    statement.setReadBigInts(true);
    return Number(statement.run(...values).changes);
  }

  prepare(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}
