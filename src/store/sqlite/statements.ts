import type { DatabaseSync, StatementSync } from "node:sqlite";

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
  get(sql: string, ...values: Value[]) {
    return this.prepare(sql).get(...values);
  }

  /** All rows. */
  all(sql: string, ...values: Value[]) {
    return this.prepare(sql).all(...values);
  }

  /** Answers how many rows it changed. */
  run(sql: string, ...values: Value[]): number {
    return Number(this.prepare(sql).run(...values).changes);
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
