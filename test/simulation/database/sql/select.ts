import type { Row } from "../table.ts";
import { type Slot, seen, type TableShape } from "../table.ts";
import { arrayOf } from "./casts.ts";
import { compile, type Env, type Evaluate, type Run, type Scope } from "./evaluate.ts";
import {
  conjunctsOf,
  isAggregate,
  planSources,
  project,
  projectAll,
  type SourcePlan,
} from "./plan.ts";
import type { Expression, Item, Joined, Select, Source } from "./syntax.ts";

/** The tables that there are, and the columns of what is named in WITH. */
export interface Catalog {
  shape(name: string): TableShape | undefined;
  readonly relations: ReadonlyMap<string, readonly string[]>;
}

/** A query that can be asked for, also within another. */
export interface CompiledSelect {
  readonly names: readonly string[];
  rows(around: Env): unknown[][];
  /** Of a query that locks: the places that it looks at, and whether a row of one is meant. */
  readonly locked: LockedRows | undefined;
}

/** Rows of one table that are looked for and locked. */
export interface LockedRows {
  readonly table: string;
  slots(env: Env): Slot[];
  isMeant(env: Env, row: Row | undefined): boolean;
  values(env: Env, row: Row): unknown[];
}

interface CompiledSource {
  readonly as: string;
  readonly columns: readonly string[];
  readonly shape: TableShape | undefined;
  rows(env: Env): Iterable<Row>;
}

/** A query without the rows around it. */
export function compileSelect(select: Select, catalog: Catalog, outer?: Scope): CompiledSelect {
  const sources = select.from.map(({ source }) => compileSource(source, catalog, outer));
  const scope: Scope = {
    sources,
    outer,
    compileSelect(within, around) {
      const compiled = compileSelect(within, catalog, around);
      return (env) => compiled.rows(env).map(([first]) => first);
    },
  };
  const conditions = [
    ...conjunctsOf(select.where),
    ...select.from.flatMap(joinConditions(sources)),
  ];
  const plans = planSources(conditions, scope, (source) => sources[source]!.shape);
  const constant = sources.length > 0 ? [] : conditions.map((each) => compile(each, scope));
  const find = (around: Env): Env[] => {
    const env = within(around);
    if (!constant.every((isSo) => isSo(env) === true)) return [];
    const found: Env[] = [];
    collect(env, 0, sources, plans, select.from, found);
    return found;
  };
  const output = outputOf(select.items, scope);
  const order = select.order.map(({ by, isDescending }) => ({
    by: compile(by, scope),
    sign: isDescending ? -1 : 1,
  }));
  const limit = select.limit && compile(select.limit, scope);
  const union = select.union && compileSelect(select.union, catalog, outer);
  return {
    names: output.names,
    rows(around) {
      const envs = find(around);
      if (order.length > 0) envs.sort((a, b) => compareBy(order, a, b));
      let rows = output.rows(envs, within(around));
      if (limit !== undefined) rows = rows.slice(0, Number(limit(within(around))));
      if (union !== undefined) rows = [...rows, ...union.rows(around)];
      return select.isDistinct || union !== undefined ? distinct(rows) : rows;
    },
    locked: select.lock && lockedRows(sources, plans, output.one),
  };
}

/** Rows of one table as a statement looks for them that changes them. */
export function compileRows(
  table: string,
  where: Expression | undefined,
  catalog: Catalog,
): { readonly scope: Scope; readonly rows: LockedRows } {
  const source = compileSource({ is: "table", name: table, as: table }, catalog, undefined);
  const scope: Scope = {
    sources: [source],
    outer: undefined,
    compileSelect(select, around) {
      const compiled = compileSelect(select, catalog, around);
      return (env) => compiled.rows(env).map(([first]) => first);
    },
  };
  const plans = planSources(conjunctsOf(where), scope, () => source.shape);
  return { scope, rows: lockedRows([source], plans, undefined) };
}

/** What is evaluated with no rows yet. */
function within(around: Env): Env {
  return { ...around, rows: [], outer: around };
}

function joinConditions(sources: readonly CompiledSource[]) {
  return ({ using, on }: Joined, index: number): Expression[] => {
    if (on !== undefined) return conjunctsOf(on);
    if (using === undefined) return [];
    const first = sources.find(({ columns }) => columns.includes(using))!;
    const column = (table: string): Expression => ({ is: "column", table, name: using });
    const [left, right] = [column(first.as), column(sources[index]!.as)];
    return [{ is: "binary", operator: "=", left, right }];
  };
}

function compileSource(source: Source, catalog: Catalog, outer: Scope | undefined): CompiledSource {
  const { as } = source;
  if (source.is === "select") {
    const inner = compileSelect(source.select, catalog, outer);
    const rows = (env: Env) => inner.rows(env).map((values) => rowOf(inner.names, values));
    return { as, columns: inner.names, shape: undefined, rows };
  }
  if (source.is === "unnest") {
    const scope: Scope = { sources: [], outer, compileSelect: () => () => [] };
    const args = source.args.map((arg) => compile(arg, scope));
    const columns = args.map((_, index) => `unnest${index}`);
    const rows = (env: Env) => {
      const arrays = args.map((arg) => arrayOf(arg(env)));
      return arrays[0]!.map((_, at) =>
        rowOf(
          columns,
          arrays.map((array) => array[at]),
        ),
      );
    };
    return { as, columns, shape: undefined, rows };
  }
  const { name } = source;
  const known = catalog.relations.get(name);
  if (known !== undefined) {
    const rows = ({ run }: Env) => (run.relations.get(name) ?? run.view()).rows;
    return { as, columns: known, shape: undefined, rows };
  }
  const shape = catalog.shape(name);
  if (shape === undefined) throw new Error(`the model has no table ${name}`);
  const columns = shape.columns.map((column) => column.name);
  return { as, columns, shape, rows: ({ run }) => rowsIn(run, run.table(name).slots.values()) };
}

function* rowsIn({ by }: Run, slots: Iterable<Slot>): Generator<Row> {
  for (const slot of slots) {
    const row = seen(slot, by);
    if (row !== undefined) yield row;
  }
}

/** Finds all rows of all sources that belong together. */
function collect(
  env: Env,
  at: number,
  sources: readonly CompiledSource[],
  plans: readonly SourcePlan[],
  from: readonly Joined[],
  found: Env[],
): void {
  const source = sources[at];
  if (source === undefined) return void found.push({ ...env, rows: [...env.rows] });
  const { filters, lookUp } = plans[at]!;
  const { shape } = source;
  const rows =
    lookUp !== undefined && shape !== undefined
      ? rowsIn(env.run, env.run.table(shape.name).find(lookUp.column, lookUp.value(env)))
      : source.rows(env);
  const before = found.length;
  for (const row of rows) {
    env.rows[at] = row;
    if (holds(filters, env)) {
      collect(env, at + 1, sources, plans, from, found);
    }
  }
  if (from[at]?.isLeft && found.length === before) {
    env.rows[at] = undefined;
    collect(env, at + 1, sources, plans, from, found);
  }
  env.rows.length = at;
}

function holds(filters: readonly Evaluate[], env: Env): boolean {
  for (const isSo of filters) if (isSo(env) !== true) return false;
  return true;
}

function lockedRows(
  sources: readonly CompiledSource[],
  plans: readonly SourcePlan[],
  one: ((env: Env) => unknown[]) | undefined,
): LockedRows {
  const shape = sources[0]?.shape;
  if (sources.length !== 1 || shape === undefined) {
    throw new Error("the model locks rows of one table at a time");
  }
  const { filters, lookUp } = plans[0]!;
  return {
    table: shape.name,
    slots(env) {
      const table = env.run.table(shape.name);
      return lookUp === undefined
        ? [...table.slots.values()]
        : [...table.find(lookUp.column, lookUp.value({ ...env, rows: [] }))];
    },
    isMeant(env, row) {
      if (row === undefined) return false;
      const looked = { ...env, rows: [row] };
      return filters.every((isSo) => isSo(looked) === true);
    },
    values: (env, row) => one!({ ...env, rows: [row] }),
  };
}

function outputOf(items: readonly Item[], scope: Scope) {
  if (isAggregate(items)) {
    const all = projectAll(items, scope);
    return {
      names: all.names,
      rows: (envs: Env[], around: Env) => [all.values(envs, around)],
      one: undefined,
    };
  }
  const { names, values } = project(items, scope);
  const running = runningOf(items, scope);
  return {
    names,
    rows(envs: Env[]) {
      running?.(envs);
      return envs.map(values);
    },
    one: values,
  };
}

/** Tells `sum(…) OVER (ORDER BY …)` for each row. */
function runningOf(
  items: readonly Item[],
  scope: Scope,
): ((envs: readonly Env[]) => void) | undefined {
  const call = items.map(({ expression }) => expression && overIn(expression)).find((one) => one);
  if (call === undefined) return undefined;
  const [value, by] = [compile(call.args[0]!, scope), compile(call.over!, scope)];
  return (envs) => {
    let sum = 0;
    for (const env of [...envs].sort((a, b) => Number(by(a)) - Number(by(b)))) {
      sum += Number(value(env));
      env.running = sum;
    }
  };
}

function overIn(expression: Expression): Extract<Expression, { is: "call" }> | undefined {
  if (expression.is === "call") return expression.over === undefined ? undefined : expression;
  if (expression.is !== "binary") return undefined;
  return overIn(expression.left) ?? overIn(expression.right);
}

function compareBy(order: readonly { by: Evaluate; sign: number }[], a: Env, b: Env): number {
  for (const { by, sign } of order) {
    const [left, right] = [by(a) as number, by(b) as number];
    if (left !== right) return left < right ? -sign : sign;
  }
  return 0;
}

function distinct(rows: unknown[][]): unknown[][] {
  return [...new Map(rows.map((row) => [JSON.stringify(row), row])).values()];
}

/** A row of these columns. */
export function rowOf(names: readonly string[], values: readonly unknown[]): Row {
  const row: Record<string, unknown> = {};
  for (const [index, name] of names.entries()) row[name] = values[index] ?? null;
  return row;
}
