import type { Environment } from "./environment.ts";
import type { Kind } from "./kinds.ts";

/** One variable: all that errors, types and documents say of it comes from its row. */
export type Setting<T = unknown> = {
  readonly variable: `BREAKGLASS_${string}`;
  readonly kind: Kind<T>;
  /** A sentence or two, in Markdown without links. */
  readonly does: string;
  /** Its value is never printed. */
  readonly isSecret?: true;
} & (
  | {
      /** What it is where the variable is unset or empty, as it would be set. */
      readonly default: string;
    }
  | {
      /** What holds where the variable is unset or empty, in words. */
      readonly unset: string;
      readonly default?: undefined;
    }
);

/** Settings by their name in what is read. */
export type Settings = Readonly<Record<string, Setting>>;

/** What is read of settings: undefined only where a variable is unset that has no default. */
export type Values<S extends Settings> = {
  readonly [P in keyof S]: S[P] extends { readonly kind: Kind<infer T> }
    ? S[P] extends { readonly default: string }
      ? T
      : T | undefined
    : never;
};

/**
 * Reads settings.
 *
 * @param problems - Gets a line for each one that cannot be used. What is returned is whole only where it got none.
 */
export function readSettings<S extends Settings>(
  settings: S,
  environment: Environment,
  problems: string[],
): Values<S> {
  const values = Object.entries(settings).map(([property, setting]) => {
    const text = environment[setting.variable] || setting.default;
    const value = text === undefined ? text : readText(setting, setting.variable, text, problems);
    return [property, value] as const;
  });
  return Object.fromEntries(values) as Values<S>;
}

/** Reads what `source`, a variable or an option, says of a setting. Where it cannot be used, `problems` gets a line. */
export function readText<T>(
  { kind, isSecret }: Setting<T>,
  source: string,
  text: string,
  problems: string[],
): T | undefined {
  const parsed = kind.schema.safeParse(text);
  if (parsed.success) return parsed.data;
  const shown = isSecret ? "not usable" : JSON.stringify(text);
  problems.push(`${source} is ${shown}, but takes ${kind.takes}`);
  return undefined;
}
