import { SqlError } from "../sql-error.ts";
import type { Row, Table } from "../table.ts";
import type { Transaction } from "../transaction.ts";
import { arrayOf, castTo } from "./casts.ts";
import type { Expression, Select } from "./syntax.ts";

/** What functions of the database answer. */
export interface Functions {
  readonly [name: string]: (...args: unknown[]) => unknown;
}

/** What a statement is run on. */
export interface Run {
  readonly by: Transaction;
  table(name: string): Table;
  /** What is named in WITH. */
  readonly relations: Map<string, Relation>;
  /** `pg_stat_activity`. */
  view(): Relation;
}

/** Rows without a place. */
export interface Relation {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** What an expression is evaluated with. */
export interface Env {
  /** Of each source, in their order. */
  readonly rows: (Row | undefined)[];
  /** Of the query around it. */
  readonly outer: Env | undefined;
  readonly values: readonly unknown[];
  readonly functions: Functions;
  readonly run: Run;
  /** What `sum(…) OVER (…)` is for these rows. */
  running?: number;
}

export type Evaluate = (env: Env) => unknown;

/** The names that an expression can use. */
export interface Scope {
  readonly sources: readonly { readonly as: string; readonly columns: readonly string[] }[];
  readonly outer: Scope | undefined;
  /** Compiles a query within, which answers the first column of its rows. */
  readonly compileSelect: (select: Select, scope: Scope) => (env: Env) => unknown[];
}

/** Where a column is: how many queries further out, and in which source. Undefined: there is none. */
export function placeOf(
  scope: Scope | undefined,
  table: string | undefined,
  name: string,
): { readonly out: number; readonly source: number } | undefined {
  for (let out = 0; scope !== undefined; out++, scope = scope.outer) {
    const source = scope.sources.findIndex(
      ({ as, columns }) => (table === undefined || table === as) && columns.includes(name),
    );
    if (source >= 0) return { out, source };
  }
  return undefined;
}

/** @throws SqlError of a column that is not there. */
export function compile(expression: Expression, scope: Scope): Evaluate {
  const part = (of: Expression) => compile(of, scope);
  switch (expression.is) {
    case "value": {
      const { value } = expression;
      return () => value;
    }
    case "parameter": {
      const { index } = expression;
      return ({ values }) => values[index] ?? null;
    }
    case "column":
      return columnOf(expression.table, expression.name, scope);
    case "not": {
      const of = part(expression.of);
      return (env) => negated(of(env));
    }
    case "binary":
      return binaryOf(expression.operator, part(expression.left), part(expression.right));
    case "isNull": {
      const of = part(expression.of);
      return (env) => ((of(env) ?? null) === null) !== expression.negated;
    }
    case "in":
      return inOf(expression, scope);
    case "array": {
      const [of, array] = [part(expression.of), part(expression.array)];
      const compare = COMPARE[expression.operator]!;
      return (env) => {
        const value = of(env);
        const each = (one: unknown) => compare(value, one) === true;
        const among = arrayOf(array(env));
        return expression.all ? among.every(each) : among.some(each);
      };
    }
    case "exists": {
      const rows = scope.compileSelect(expression.select, scope);
      return (env) => rows(env).length > 0;
    }
    case "scalar": {
      const rows = scope.compileSelect(expression.select, scope);
      return (env) => rows(env)[0] ?? null;
    }
    case "case": {
      const whens = expression.whens.map(({ when, value }) => [part(when), part(value)] as const);
      const otherwise = part(expression.otherwise);
      return (env) => {
        const found = whens.find(([when]) => when(env) === true);
        return (found === undefined ? otherwise : found[1])(env);
      };
    }
    case "cast": {
      const of = part(expression.of);
      return (env) => castTo(expression.type, of(env));
    }
    case "call":
      if (expression.over !== undefined) return ({ running }) => running ?? null;
      return callOf(expression.name, expression.args.map(part));
  }
}

function columnOf(table: string | undefined, name: string, scope: Scope): Evaluate {
  const place = placeOf(scope, table, name);
  if (place === undefined) throw new SqlError("42703", `column ${name} does not exist`);
  const { out, source } = place;
  if (out === 0) return ({ rows }) => rows[source]?.[name] ?? null;
  return (env) => {
    let around: Env | undefined = env;
    for (let up = 0; up < out; up++) around = around?.outer;
    return around?.rows[source]?.[name] ?? null;
  };
}

function inOf(
  { of, among, negated: isNegated }: Extract<Expression, { is: "in" }>,
  scope: Scope,
): Evaluate {
  const value = compile(of, scope);
  const listed = Array.isArray(among)
    ? among.map((one: Expression) => compile(one, scope))
    : undefined;
  const selected = listed === undefined ? scope.compileSelect(among as Select, scope) : undefined;
  return (env) => {
    const looked = value(env);
    if (looked === null) return null;
    const isIn =
      listed?.some((one) => COMPARE["="]!(looked, one(env)) === true) ??
      selected!(env).includes(looked);
    return isIn !== isNegated;
  };
}

function negated(value: unknown): unknown {
  return value === null ? null : value !== true;
}

/** NULL where a side is. */
const known =
  (operation: (left: never, right: never) => unknown) => (left: unknown, right: unknown) =>
    left === null || right === null ? null : operation(left as never, right as never);

const COMPARE: Readonly<Record<string, (left: unknown, right: unknown) => unknown>> = {
  "=": known((left: unknown, right: unknown) => isEqual(left, right)),
  "<>": known((left: unknown, right: unknown) => !isEqual(left, right)),
  "<": known((left: number, right: number) => left < right),
  "<=": known((left: number, right: number) => left <= right),
  ">": known((left: number, right: number) => left > right),
  ">=": known((left: number, right: number) => left >= right),
  "+": known((left: number, right: number) => left + right),
  "-": known((left: number, right: number) => left - right),
  "*": known((left: number, right: number) => left * right),
  "/": known((left: number, right: number) => left / right),
  "%": known((left: number, right: number) => left % right),
  "|": known((left: number, right: number) => left | right),
  "||": known((left: string, right: string) => left + right),
};

function isEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Buffer.isBuffer(left)) return left.equals(right as Buffer);
  // A number is a parameter of its text too, and the other way round.
  return typeof left !== typeof right && String(left) === String(right);
}

function binaryOf(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  if (operator === "and") {
    return (env) => {
      const first = left(env);
      if (first === false) return false;
      const second = right(env);
      return second === false ? false : first === null || second === null ? null : true;
    };
  }
  if (operator === "or") {
    return (env) => {
      const first = left(env);
      if (first === true) return true;
      const second = right(env);
      return second === true ? true : first === null || second === null ? null : false;
    };
  }
  const operation = COMPARE[operator]!;
  return (env) => operation(left(env), right(env));
}

const given = (values: readonly unknown[]) => values.filter((value) => value !== null) as never[];

const PLAIN: Functions = {
  coalesce: (...values) => given(values)[0] ?? null,
  greatest: (...values) => (given(values).length === 0 ? null : Math.max(...given(values))),
  least: (...values) => (given(values).length === 0 ? null : Math.min(...given(values))),
  octet_length: (value) => (value === null ? null : Buffer.from(value as Buffer).length),
  /** Of a time, which the model has in milliseconds. */
  extract: (value) => (value as number) / 1000,
};

function callOf(name: string, args: readonly Evaluate[]): Evaluate {
  const plain = PLAIN[name];
  return (env) => {
    const called = plain ?? env.functions[name];
    if (called === undefined) throw new SqlError("42883", `the model has no function ${name}`);
    return called(...args.map((arg) => arg(env)));
  };
}
