import type { Planned, World } from "../world.ts";
import { lock } from "./locks.ts";
import type { Functions, Relation, Run } from "./sql/evaluate.ts";
import type { Answer, Runnable, Wanted } from "./sql/execute.ts";
import type { Control } from "./sql/syntax.ts";
import { SqlError } from "./sql-error.ts";
import type { Table } from "./table.ts";
import { type Change, Transaction } from "./transaction.ts";

/** How long who stands still in a transaction is let do so. */
const IDLE_IN_TRANSACTION_MS = 10_000;
/** Until a connection that is to be ended is. */
const TERMINATION_MS = 20;

export type Compiled = Control | { readonly is: "statement"; readonly run: Runnable };

/** What is told of a database. */
export interface DatabaseWatcher {
  /** A transaction is there for all. @param position - How many commits were written with it. */
  committed(changes: readonly Change[], backend: Backend, position: number): void;
  /** Another host is the primary, with what it had. */
  promoted(): void;
}

/** What a connection works on. */
export interface Primary {
  readonly world: World;
  readonly watcher: DatabaseWatcher;
  readonly tables: ReadonlyMap<string, Table>;
  readonly backends: Set<Backend>;
  /** The time, in milliseconds. */
  readonly clock: number;
  /** How many commits are written. */
  readonly position: number;
  /** The statements of a text, and their values where it has them itself. */
  compile(sql: string): { statements: readonly Compiled[]; literals: unknown[] | undefined };
  /** Writes a commit. @param done - Called when a standby has it, or with a warning. */
  write(changes: readonly Change[], backend: Backend, done: (isWarned: boolean) => void): void;
  /** The connection of a commit that waits is ended. */
  endWait(backend: Backend): boolean;
}

/** What is asked over a connection. */
export interface Asked {
  readonly sql: string;
  readonly values: readonly unknown[];
  answered(answer: Answer | Error, isWarned: boolean): void;
}

interface ToWrite {
  readonly changes: readonly Change[];
}

type Running = Generator<Wanted | ToWrite, Answer>;

const NOTHING: Answer = { names: [], rows: [], count: 0 };

/** What does the work of one connection at the primary: one thing at a time, in the order in which they come. */
export class Backend {
  readonly pid: number;
  readonly application: string;
  /** Whose connection it is. */
  readonly owner: unknown;
  readonly #database: Primary;
  readonly #queue: Asked[] = [];
  #current: { readonly asked: Asked; readonly running: Running } | undefined;
  #transaction: Transaction | undefined;
  /** BEGIN was asked for. */
  #isExplicit = false;
  #hasFailed = false;
  #isWarned = false;
  #isOver = false;
  #idle: Planned | undefined;
  /** When its transaction began. */
  beganAt = 0;
  /** Told when the database ends the connection. */
  ended: (error: Error) => void = () => {};

  constructor(database: Primary, pid: number, application: string, owner: unknown) {
    this.#database = database;
    this.pid = pid;
    this.application = application;
    this.owner = owner;
  }

  ask(asked: Asked): void {
    if (this.#isOver) return;
    this.#queue.push(asked);
    this.#takeNext();
  }

  /** Who asked is gone. */
  close(): void {
    if (this.#isOver) return;
    // What it has been sent is done first.
    if (this.#current !== undefined || this.#queue.length > 0) {
      this.ask({ sql: "ROLLBACK", values: [], answered: () => this.#end() });
    } else this.#end();
  }

  /** The database ends the connection, before long: `pg_terminate_backend`. */
  terminate(): void {
    const { world } = this.#database;
    world.after(world.between(0, TERMINATION_MS), () => {
      if (this.#isOver) return;
      // Who waits for a standby is told nothing more.
      this.#isOver = true;
      this.#database.endWait(this);
      this.#end();
      this.ended(new SqlError("57P01", "terminating connection", "FATAL"));
    });
  }

  /** It is no more, with all that was not written. */
  vanish(): void {
    this.#isOver = true;
    this.#database.world.cancel(this.#idle);
  }

  #end(): void {
    this.vanish();
    this.#transaction?.rollback();
    this.#transaction = undefined;
    this.#database.backends.delete(this);
  }

  #takeNext(): void {
    if (this.#current !== undefined || this.#isOver) return;
    const asked = this.#queue.shift();
    if (asked === undefined) return;
    this.#database.world.cancel(this.#idle);
    this.#isWarned = false;
    this.#current = { asked, running: this.#perform(asked) };
    this.#goOn();
  }

  #goOn(): void {
    if (this.#isOver || this.#current === undefined) return;
    const { asked, running } = this.#current;
    try {
      for (let next = running.next(); ; next = running.next()) {
        if (next.done) {
          this.#answer(asked, next.value);
          return;
        }
        if (this.#mustWait(next.value)) return;
      }
    } catch (error) {
      this.#fail();
      this.#answer(asked, error as Error);
    }
  }

  /** Whether what is wanted comes later: it goes on then. */
  #mustWait(wanted: Wanted | ToWrite): boolean {
    if ("lockable" in wanted) {
      const granted = () => void this.#database.world.after(0, () => this.#goOn(), false);
      return !lock(wanted.lockable, this.#transaction!, wanted.mode, granted);
    }
    let isAnswered = false;
    let isLater = false;
    const position = this.#database.position + 1;
    this.#database.write(wanted.changes, this, (isWarned) => {
      isAnswered = true;
      this.#isWarned ||= isWarned;
      this.#commitWritten(wanted.changes, position);
      if (isLater) this.#goOn();
    });
    isLater = true;
    return !isAnswered;
  }

  #answer(asked: Asked, answer: Answer | Error): void {
    this.#current = undefined;
    if (this.#transaction !== undefined) {
      this.#idle = this.#database.world.after(IDLE_IN_TRANSACTION_MS, () => {
        this.#end();
        this.ended(new SqlError("25P03", "idle in a transaction", "FATAL"));
      });
    }
    asked.answered(answer, this.#isWarned);
    this.#takeNext();
  }

  *#perform({ sql, values }: Asked): Running {
    let answer = NOTHING;
    const { statements, literals } = this.#database.compile(sql);
    for (const compiled of statements) {
      if (compiled.is === "statement") answer = yield* this.#run(compiled, literals ?? values);
      else yield* this.#control(compiled);
    }
    if (this.#transaction !== undefined && !this.#isExplicit) yield* this.#commit();
    return answer;
  }

  *#run(compiled: Extract<Compiled, { is: "statement" }>, values: readonly unknown[]): Running {
    if (this.#hasFailed) throw new SqlError("25P02", "the transaction is aborted");
    const by = this.#begin();
    const database = this.#database;
    const run: Run = {
      by,
      table: (name) => database.tables.get(name)!,
      relations: new Map(),
      view: () => this.#activity(),
    };
    return yield* compiled.run(run, values, this.#functions);
  }

  *#control({ is, name }: Exclude<Compiled, { is: "statement" }>): Running {
    if (is === "begin") {
      // Within a transaction it is but warned of.
      this.#begin();
      this.#isExplicit = true;
    } else if (is === "commit") {
      if (this.#hasFailed) this.#rollback();
      else yield* this.#commit();
    } else if (is === "rollback") this.#rollback();
    else if (this.#transaction === undefined) throw new SqlError("25P01", "no transaction");
    else if (is === "rollbackTo") {
      this.#transaction.rollbackTo(name);
      this.#hasFailed = false;
    } else if (this.#hasFailed) throw new SqlError("25P02", "the transaction is aborted");
    else if (is === "savepoint") this.#transaction.save(name);
    else this.#transaction.releaseSavepoint(name);
    return NOTHING;
  }

  #begin(): Transaction {
    if (this.#transaction === undefined) this.beganAt = this.#database.world.now;
    this.#transaction ??= new Transaction();
    return this.#transaction;
  }

  *#commit(): Running {
    const changes = this.#transaction?.changes ?? [];
    if (changes.length > 0) yield { changes };
    else this.#commitWritten(changes, 0);
    return NOTHING;
  }

  #commitWritten(changes: readonly Change[], position: number): void {
    this.#transaction?.commit();
    this.#transaction = undefined;
    this.#isExplicit = false;
    if (changes.length > 0) this.#database.watcher.committed(changes, this, position);
  }

  #rollback(): void {
    this.#transaction?.rollback();
    this.#transaction = undefined;
    this.#isExplicit = false;
    this.#hasFailed = false;
  }

  #fail(): void {
    if (!this.#isExplicit) this.#rollback();
    else if (!this.#hasFailed) {
      this.#hasFailed = true;
      this.#transaction?.abort();
    }
  }

  #activity(): Relation {
    const rows = Array.from(this.#database.backends, ({ pid, application }) => {
      return { pid, application_name: application };
    });
    return { columns: ["pid", "application_name"], rows };
  }

  readonly #functions: Functions = {
    clock_timestamp: () => this.#database.clock,
    now: () => this.#database.clock,
    pg_backend_pid: () => this.pid,
    pg_is_in_recovery: () => false,
    pg_terminate_backend: (pid) => {
      for (const backend of this.#database.backends) if (backend.pid === pid) backend.terminate();
      return true;
    },
  };
}
