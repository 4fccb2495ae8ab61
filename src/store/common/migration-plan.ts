/** What bringing a store's schema forward would do. */
export interface MigrationPlan {
  /** 0: there is no schema yet. */
  readonly from: number;
  readonly to: number;
  readonly steps: readonly MigrationStep[];
  /** What keeps it from being done, each in a line for the operator. */
  readonly obstacles: readonly string[];
  /** What else the operator may want to know. */
  readonly notes: readonly string[];
}

/** What takes a schema to a version, from the one before. */
export interface MigrationStep {
  readonly version: number;
  /** The tables that it makes, changes and drops. */
  readonly does: string;
}

/** The steps that are still to be taken. @param steps - All, in SQL. @param from - The version that there is. */
export function stepsFrom(steps: readonly string[], from: number): MigrationStep[] {
  return steps
    .slice(from)
    .map((sql, index) => ({ version: from + index + 1, does: describe(sql) }));
}

/** Reads from a step's SQL what becomes of which tables. */
function describe(sql: string): string {
  const found = (pattern: RegExp) =>
    new Set(Array.from(sql.matchAll(pattern), (match) => match.slice(1).find(Boolean)!));
  const made = found(/CREATE (?:VIRTUAL )?TABLE (\w+)/g);
  const dropped = found(/DROP TABLE (\w+)/g);
  const renamed = found(/ALTER TABLE (\w+) RENAME TO/g);
  const touched = found(/ALTER TABLE (\w+)|UPDATE (\w+) SET|INDEX \w+ ON (\w+)|INSERT INTO (\w+)/g);
  // One that is renamed, copied and dropped is made anew under its name.
  const anew = made.intersection(renamed);
  const parts = [
    ["makes", made.difference(anew)],
    ["makes anew", anew],
    ["changes", touched.difference(made).difference(dropped).difference(SQLITES_OWN)],
    ["drops", dropped.difference(made).difference(copiesIn(sql))],
  ] as const;
  const told = parts.filter(([, tables]) => tables.size > 0);
  return told.map(([what, tables]) => `${what} ${[...tables].join(", ")}`).join("; ");
}

const SQLITES_OWN: ReadonlySet<string> = new Set(["sqlite_sequence"]);

/** The names that tables had only within a step. */
function copiesIn(sql: string): Set<string> {
  return new Set(Array.from(sql.matchAll(/ALTER TABLE \w+ RENAME TO (\w+)/g), ([, name]) => name!));
}
