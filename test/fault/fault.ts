/**
 * `npm run fault -- --trials N [--store postgres] [--only NAME,…] [--untimed]`: brings the faults of the failure matrix about, by real processes and
 * signals, and holds what follows against what is promised. Prints a line of JSON for each row and a table at the end, and
 * on stderr what failed. Exits 1 where anything did, 2 where it was called wrongly. With `--untimed`, for a machine that is
 * busy with other things, what held but took too long is no failure. With `--store postgres` the rows are those of servers on a
 * PostgreSQL database, in one of their own on this machine; without it, those of a server on its own file.
 *
 * No failure in N trials bounds the rate of failures at 3/N, with 95 % confidence.
 */
import { parseArgs } from "node:util";
import { POSTGRES_ROWS } from "./postgres/rows.ts";
import { type Finding, failuresOf, jsonLine, table } from "./report.ts";
import type { FaultRow, RowOutcome } from "./row.ts";
import { ROWS } from "./rows.ts";

// Servers end with the processes that started them where it exits, and it exits where it is told to end.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

/** The rows by the store that the servers have. */
const OF_STORES: Readonly<Record<string, readonly FaultRow[]>> = {
  sqlite: ROWS,
  postgres: POSTGRES_ROWS,
};
/** What is told of a row's failures; the first ones tell the story. */
const TOLD_FAILURES = 20;

const { trials, rows, isTimed } = readArguments();
const findings: Finding[] = [];
for (const row of rows) {
  const finding = { row, outcome: await row.run(trials).catch(broken) };
  findings.push(finding);
  process.stdout.write(`${jsonLine(finding, isTimed)}\n`);
  for (const failure of failuresOf(finding, isTimed).slice(0, TOLD_FAILURES)) {
    process.stderr.write(`${row.name}: ${failure}\n`);
  }
}
process.stdout.write(`\n${table(findings)}\n`);
process.exit(findings.every((finding) => failuresOf(finding, isTimed).length === 0) ? 0 : 1);

/** A row that could not be gone through with has shown nothing, and that is a failure. */
function broken(error: Error): RowOutcome {
  return { trials: 0, failures: [error.stack ?? error.message] };
}

function readArguments(): { trials: number; rows: readonly FaultRow[]; isTimed: boolean } {
  try {
    const text = { type: "string" } as const;
    const store = { type: "string", default: "sqlite" } as const;
    const options = { trials: text, store, only: text, untimed: { type: "boolean" } } as const;
    const { values } = parseArgs({ options });
    const trials = Number(values.trials);
    if (!Number.isInteger(trials) || trials < 1) throw new Error("--trials takes a number from 1");
    const all = OF_STORES[values.store];
    if (all === undefined) throw new Error("--store takes sqlite or postgres");
    const rows = values.only?.split(",").map((name) => rowOf(all, name)) ?? all;
    return { trials, rows, isTimed: !values.untimed };
  } catch (error) {
    const usages = Object.entries(OF_STORES).map(([store, all]) => {
      const names = all.map(({ name }) => name).join(",");
      return `npm run fault -- --trials N --store ${store} [--only ${names}] [--untimed]`;
    });
    process.stderr.write(`${(error as Error).message}\nusage: ${usages.join("\n       ")}\n`);
    process.exit(2);
  }
}

function rowOf(all: readonly FaultRow[], name: string): FaultRow {
  const row = all.find((found) => found.name === name);
  if (row === undefined) throw new Error(`no row is called ${JSON.stringify(name)}`);
  return row;
}
