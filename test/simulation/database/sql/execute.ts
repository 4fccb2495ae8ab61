import type { Lockable, LockMode } from "../locks.ts";
import { SqlError } from "../sql-error.ts";
import { type Row, type Slot, seen, type Table, type UniqueKey } from "../table.ts";
import {
  compile,
  type Env,
  type Evaluate,
  type Functions,
  type Run,
  type Scope,
} from "./evaluate.ts";
import { project } from "./plan.ts";
import { type Catalog, compileRows, compileSelect, type LockedRows, rowOf } from "./select.ts";
import type {
  Assignment,
  CommonTable,
  Delete,
  Insert,
  Select,
  Statement,
  Update,
} from "./syntax.ts";

/** What is to be locked before a statement goes on. */
export interface Wanted {
  readonly lockable: Lockable;
  readonly mode: LockMode;
}

/** What a statement answers. */
export interface Answer {
  readonly names: readonly string[];
  readonly rows: unknown[][];
  /** How many rows it found or changed. */
  readonly count: number;
}

/** A statement that runs: it stops where it has to lock something, and goes on when it has. */
export type Running = Generator<Wanted, Answer>;

/** A statement that can be run, with values in its parameters. */
export type Runnable = (run: Run, values: readonly unknown[], functions: Functions) => Running;

type Part = (env: Env) => Running;

/** @throws Error of what the model does not know. */
export function compileStatement(statement: Statement, catalog: Catalog): Runnable {
  const relations = new Map(catalog.relations);
  const inner = { shape: catalog.shape, relations };
  const [common, main] = compileWith(statement, inner);
  return function* (run, values, functions) {
    const env: Env = { rows: [], outer: undefined, values, functions, run };
    for (const { name, part } of common) {
      const { names, rows } = yield* part(env);
      run.relations.set(name, { columns: names, rows: rows.map((row) => rowOf(names, row)) });
    }
    return yield* main(env);
  };
}

interface CommonPart {
  readonly name: string;
  readonly part: Part;
}

function compileWith(
  statement: Statement,
  catalog: Catalog & { readonly relations: Map<string, readonly string[]> },
): [CommonPart[], Part] {
  const tables = "with" in statement ? (statement.with as readonly CommonTable[]) : [];
  const common = tables.map(({ name, statement: of }) => {
    const { part, names } = compilePart(of, catalog);
    catalog.relations.set(name, names);
    return { name, part };
  });
  return [common, compilePart(statement, catalog).part];
}

function compilePart(
  statement: Statement,
  catalog: Catalog,
): { part: Part; names: readonly string[] } {
  switch (statement.is) {
    case "select":
      return selectPart(statement, catalog);
    case "insert":
      return insertPart(statement, catalog);
    case "update":
    case "delete":
      return changePart(statement, catalog);
    default:
      throw new Error(`the model does not do ${statement.is} within a statement`);
  }
}

function selectPart(select: Select, catalog: Catalog) {
  const { names, rows, locked } = compileSelect(select, catalog);
  const mode: LockMode = select.lock === "share" ? "share" : "exclusive";
  const part: Part = function* (env) {
    if (locked === undefined) {
      const found = rows(env);
      return { names, rows: found, count: found.length };
    }
    const found: unknown[][] = [];
    for (const { row } of yield* lockAll(env, locked, mode)) found.push(locked.values(env, row));
    return { names, rows: found, count: found.length };
  };
  return { part, names };
}

/** Locks the rows that are meant, each as it is when it is locked. */
function* lockAll(
  env: Env,
  { slots, isMeant }: LockedRows,
  mode: LockMode,
): Generator<Wanted, { slot: Slot; row: Row }[], void> {
  const { by } = env.run;
  const locked: { slot: Slot; row: Row }[] = [];
  for (const slot of slots(env)) {
    if (!isMeant(env, seen(slot, by))) continue;
    yield { lockable: slot, mode };
    const row = seen(slot, by);
    if (row !== undefined && isMeant(env, row)) locked.push({ slot, row });
  }
  return locked;
}

function assignmentsOf(assignments: readonly Assignment[], scope: Scope) {
  const compiled = assignments.map(([column, value]) => [column, compile(value, scope)] as const);
  return (env: Env, row: Row, table: Table): Row => {
    const changed: Record<string, unknown> = { ...row };
    for (const [column, value] of compiled) {
      changed[column] = value(env) ?? null;
      if (table.hasIndex(column) && changed[column] !== row[column]) {
        throw new Error(`the model finds rows by ${column}, which changes`);
      }
    }
    return changed;
  };
}

function changePart(statement: Update | Delete, catalog: Catalog) {
  const { scope, rows } = compileRows(statement.table, statement.where, catalog);
  const { returning } = statement;
  const change =
    statement.is === "update" ? assignmentsOf(statement.assignments, scope) : undefined;
  const output = returning && project(returning, scope);
  const part: Part = function* (env) {
    const table = env.run.table(statement.table);
    const changed: Row[] = [];
    for (const { slot, row } of yield* lockAll(env, rows, "exclusive")) {
      const written = change?.({ ...env, rows: [row] }, row, table);
      env.run.by.write(slot, written);
      changed.push(written ?? row);
    }
    const answered = output ? changed.map((row) => output.values({ ...env, rows: [row] })) : [];
    return { names: output?.names ?? [], rows: answered, count: changed.length };
  };
  return { part, names: output?.names ?? [] };
}

function insertPart(statement: Insert, catalog: Catalog) {
  const { table: name, source, conflict, returning } = statement;
  const shape = catalog.shape(name);
  if (shape === undefined) throw new Error(`the model has no table ${name}`);
  const all = shape.columns.map((column) => column.name);
  const columns = statement.columns ?? all;
  const { scope } = compileRows(name, undefined, catalog);
  const tuples = tuplesOf(source, catalog);
  const onConflict =
    typeof conflict === "string"
      ? conflict
      : assignmentsOf(conflict, {
          ...scope,
          sources: [...scope.sources, { as: "excluded", columns: all }],
        });
  const output = returning && project(returning, scope);
  const part: Part = function* (env) {
    const table = env.run.table(name);
    const written: Row[] = [];
    for (const tuple of tuples(env)) {
      const row = table.rowOf(new Map(columns.map((column, at) => [column, tuple[at]])));
      const there = yield* takeKeys(env.run, table, row);
      if (there === undefined) {
        env.run.by.write(table.add(row), row);
        written.push(row);
      } else if (onConflict === "error") throw duplicate(table, row);
      else if (onConflict !== "nothing") {
        yield { lockable: there, mode: "exclusive" };
        const before = seen(there, env.run.by)!;
        const after = onConflict({ ...env, rows: [before, row] }, before, table);
        env.run.by.write(there, after);
        written.push(after);
      }
    }
    const answered = output ? written.map((row) => output.values({ ...env, rows: [row] })) : [];
    return { names: output?.names ?? [], rows: answered, count: written.length };
  };
  return { part, names: output?.names ?? [] };
}

function tuplesOf(source: Insert["source"], catalog: Catalog): (env: Env) => unknown[][] {
  if ("is" in source) {
    const select = compileSelect(source, catalog);
    return (env) => select.rows(env);
  }
  const scope: Scope = {
    sources: [],
    outer: undefined,
    compileSelect(select, around) {
      const compiled = compileSelect(select, catalog, around);
      return (env) => compiled.rows(env).map(([first]) => first);
    },
  };
  const tuples: Evaluate[][] = source.map((tuple) => tuple.map((value) => compile(value, scope)));
  return (env) => tuples.map((tuple) => tuple.map((value) => value(env)));
}

/** Holds the keys of a row that is to be written. Answers where a row is that has one of them already. */
function* takeKeys(run: Run, table: Table, row: Row): Generator<Wanted, Slot | undefined, void> {
  for (const key of table.shape.keys) {
    if (!key.isMeant(row)) continue;
    yield { lockable: table.keyLock(keyOf(key, row)), mode: "exclusive" };
    const there = findKey(run, table, key, row);
    if (there !== undefined) return there;
  }
  return undefined;
}

function keyOf({ columns }: UniqueKey, row: Row): string {
  return columns.map((column) => `${column}=${row[column]}`).join(" ");
}

function findKey(run: Run, table: Table, key: UniqueKey, row: Row): Slot | undefined {
  const column = key.columns.find((one) => table.hasIndex(one));
  const slots = column === undefined ? table.slots.values() : table.find(column, row[column]);
  for (const slot of slots) {
    const other = seen(slot, run.by);
    if (other === undefined || !key.isMeant(other)) continue;
    if (key.columns.every((one) => other[one] === row[one])) return slot;
  }
  return undefined;
}

function duplicate(table: Table, row: Row): SqlError {
  const values = JSON.stringify(Object.values(row).slice(0, 2));
  return new SqlError("23505", `${table.shape.name} has ${values} already`);
}
