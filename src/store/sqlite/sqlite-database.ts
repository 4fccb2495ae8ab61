import { DatabaseSync } from "node:sqlite";
import type { AuditTable } from "./audit-table.ts";
import { FileLeases } from "./file-leases.ts";
import { createMethods, type Methods } from "./methods.ts";
import { prepare } from "./schema.ts";
import { Statements } from "./statements.ts";
import { createTables } from "./tables.ts";

/** One connection, synchronous: the store's methods on it, and the transactions that they are called in. */
export class SqliteDatabase {
  readonly methods: Methods;
  readonly #leases: FileLeases;
  readonly #audit: AuditTable;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;

  /** @throws Error with a message for the operator where the file cannot be used. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 0 });
    prepare(this.#database);
    this.#statements = new Statements(this.#database);
    this.#leases = new FileLeases(this.#statements);
    const close = () => this.#database.close();
    const tables = createTables(this.#statements);
    this.#audit = tables.audit;
    const undone = (work: () => void) => this.#undone(work);
    this.methods = createMethods(tables, this.#leases, { undone, close });
  }

  /** Whether one is open. SQLite ends it by itself where, say, the disk is full. */
  get isTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Runs `work` and commits, or rolls back and throws what it threw. */
  transaction<T>(work: () => T): T {
    this.#statements.run("BEGIN IMMEDIATE");
    try {
      this.#leases.record();
      const answer = work();
      this.#statements.run("COMMIT");
      this.#leases.committed();
      return answer;
    } catch (error) {
      this.#audit.forget();
      if (this.isTransaction) this.#statements.run("ROLLBACK");
      throw error;
    }
  }

  /** Runs a part of a transaction; where that throws, nothing of it is left in the transaction, if that is still open. */
  savepoint<T>(work: () => T): T {
    this.#statements.run("SAVEPOINT part");
    try {
      const answer = work();
      this.#statements.run("RELEASE part");
      return answer;
    } catch (error) {
      this.#audit.forget();
      if (this.isTransaction) {
        this.#statements.run("ROLLBACK TO part");
        this.#statements.run("RELEASE part");
      }
      throw error;
    }
  }

  /** Runs a part of a transaction of which nothing is to be left. @throws What it throws. */
  #undone(work: () => void): void {
    try {
      this.savepoint(() => {
        work();
        throw UNDONE;
      });
    } catch (error) {
      if (error !== UNDONE) throw error;
    }
  }
}

const UNDONE = Symbol("undone");
