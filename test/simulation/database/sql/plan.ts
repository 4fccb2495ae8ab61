import type { TableShape } from "../table.ts";
import { compile, type Env, type Evaluate, placeOf, type Scope } from "./evaluate.ts";
import type { Expression, Item } from "./syntax.ts";

/** How the rows of one source are found, given those of the sources before it. */
export interface SourcePlan {
  /** All of these are to be so, and each can be told now. */
  readonly filters: readonly Evaluate[];
  /** The one that an index answers, where there is such. */
  readonly lookUp: { readonly column: string; readonly value: Evaluate } | undefined;
}

/** The parts of a condition that all have to be so. */
export function conjunctsOf(where: Expression | undefined): Expression[] {
  if (where === undefined) return [];
  if (where.is !== "binary" || where.operator !== "and") return [where];
  return [...conjunctsOf(where.left), ...conjunctsOf(where.right)];
}

/** Has each condition be looked at as soon as the sources are there that it names. */
export function planSources(
  conditions: readonly Expression[],
  scope: Scope,
  shapeOf: (source: number) => TableShape | undefined,
): SourcePlan[] {
  const last = scope.sources.length - 1;
  const at = conditions.map((condition) => Math.min(last, Math.max(0, reach(condition, scope))));
  return scope.sources.map((_, source) => {
    const own = conditions.filter((_condition, index) => at[index] === source);
    const shape = shapeOf(source);
    const lookUp = own.map((condition) => lookUpOf(condition, source, scope, shape));
    return {
      filters: own.map((condition) => compile(condition, scope)),
      lookUp: lookUp.find((found) => found !== undefined),
    };
  });
}

function lookUpOf(
  condition: Expression,
  source: number,
  scope: Scope,
  shape: TableShape | undefined,
): SourcePlan["lookUp"] {
  if (shape === undefined || condition.is !== "binary" || condition.operator !== "=") return;
  const { left, right } = condition;
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    if (one.is !== "column" || !shape.indexed.includes(one.name)) continue;
    const place = placeOf(scope, one.table, one.name);
    if (place?.out !== 0 || place.source !== source || reach(other, scope) >= source) continue;
    return { column: one.name, value: compile(other, scope) };
  }
  return undefined;
}

/** The last source that an expression names; -1: none. One that has a query within may name any. */
function reach(expression: Expression, scope: Scope): number {
  const all = scope.sources.length - 1;
  switch (expression.is) {
    case "value":
    case "parameter":
      return -1;
    case "column": {
      const place = placeOf(scope, expression.table, expression.name);
      return place?.out === 0 ? place.source : -1;
    }
    case "not":
    case "isNull":
    case "cast":
      return reach(expression.of, scope);
    case "binary":
      return Math.max(reach(expression.left, scope), reach(expression.right, scope));
    case "call":
      return Math.max(-1, ...expression.args.map((arg) => reach(arg, scope)));
    default:
      return all;
  }
}

const AGGREGATES = new Set(["count", "max", "min", "sum"]);

/** What a query answers of its rows. */
export interface Projection {
  readonly names: readonly string[];
  /** All columns of some sources, or one value. */
  readonly values: (env: Env) => unknown[];
}

/** What is made of a row. */
export function project(items: readonly Item[], scope: Scope): Projection {
  const parts = items.map(({ expression, table, name }) => {
    if (expression !== undefined) {
      const value = compile(expression, scope);
      return { names: [name], values: (env: Env) => [value(env)] };
    }
    const sources = scope.sources.flatMap(({ as, columns }, source) =>
      table === undefined || table === as ? [{ source, columns }] : [],
    );
    const names = sources.flatMap(({ columns }) => columns);
    const values = ({ rows }: Env) =>
      sources.flatMap(({ source, columns }) =>
        columns.map((column) => rows[source]?.[column] ?? null),
      );
    return { names, values };
  });
  const [only] = parts;
  return {
    names: parts.flatMap(({ names }) => names),
    values: parts.length === 1 ? only!.values : (env) => parts.flatMap(({ values }) => values(env)),
  };
}

/** Whether one row is made of all. */
export function isAggregate(items: readonly Item[]): boolean {
  return items.some(({ expression }) => expression !== undefined && hasAggregate(expression));
}

function hasAggregate(expression: Expression): boolean {
  switch (expression.is) {
    case "call":
      return AGGREGATES.has(expression.name) && expression.over === undefined
        ? true
        : expression.args.some(hasAggregate);
    case "binary":
      return hasAggregate(expression.left) || hasAggregate(expression.right);
    case "cast":
    case "not":
    case "isNull":
      return hasAggregate(expression.of);
    default:
      return false;
  }
}

/** What is made of all rows together. */
export function projectAll(items: readonly Item[], scope: Scope) {
  const parts = items.map(({ expression }) => aggregateOf(expression!, scope));
  return {
    names: items.map(({ name }) => name),
    values: (envs: readonly Env[], around: Env) => parts.map((part) => part(envs, around)),
  };
}

type OfAll = (envs: readonly Env[], around: Env) => unknown;

function aggregateOf(expression: Expression, scope: Scope): OfAll {
  if (expression.is === "call" && AGGREGATES.has(expression.name)) {
    const { name, args } = expression;
    const arg = args[0] && compile(args[0], scope);
    return (envs) => {
      if (arg === undefined) return envs.length;
      const values = envs.map(arg).filter((value) => value !== null) as number[];
      if (name === "count") return values.length;
      if (values.length === 0) return null;
      return values.reduce((all, value) =>
        name === "sum" ? all + value : (name === "max") === value > all ? value : all,
      );
    };
  }
  if (expression.is === "call") {
    const parts = expression.args.map((arg) => aggregateOf(arg, scope));
    const names = parts.map((_, index) => `arg${index}`);
    const inner = { ...scope, sources: [{ as: "args", columns: names }], outer: undefined };
    const columns: Expression[] = names.map((name) => ({ is: "column", table: undefined, name }));
    const called = compile({ ...expression, args: columns }, inner);
    return (envs, around) => {
      const row = Object.fromEntries(parts.map((part, at) => [names[at], part(envs, around)]));
      return called({ ...around, rows: [row] });
    };
  }
  if (expression.is === "cast") {
    return aggregateOf({ is: "call", name: "coalesce", args: [expression.of] }, scope);
  }
  const plain = compile(expression, scope);
  return (_envs, around) => plain(around);
}
