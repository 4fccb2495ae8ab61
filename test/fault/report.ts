import { quantile } from "../bench/figure.ts";
import type { FaultRow, RowOutcome } from "./row.ts";

/** A row and what it found. */
export interface Finding {
  readonly row: FaultRow;
  readonly outcome: RowOutcome;
}

/** What went wrong in a row, a line each; where time counts, also what was late. */
export function failuresOf({ outcome }: Finding, isTimed: boolean): readonly string[] {
  return isTimed ? [...outcome.failures, ...(outcome.late ?? [])] : outcome.failures;
}

/** A row's findings as a line of JSON. */
export function jsonLine(finding: Finding, isTimed: boolean): string {
  const { row, outcome } = finding;
  const { trials, figures, skipped } = outcome;
  const failures = failuresOf(finding, isTimed);
  return JSON.stringify({
    row: row.name,
    trials,
    failures: outcome.failures.length,
    late: outcome.late?.length ?? 0,
    ...(isBounded(outcome) ? { bound: round(3 / trials) } : {}),
    timings: Object.fromEntries(timings(outcome)),
    figures: mapValues(figures ?? {}, round),
    ...(skipped === undefined ? {} : { skipped }),
    pass: failures.length === 0,
  });
}

/** The findings as a table for people, in Markdown. */
export function table(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => {
    const { row, outcome } = finding;
    const { trials, skipped } = outcome;
    return [
      row.fault,
      row.bar,
      skipped === undefined ? String(trials) : `skipped: ${skipped}`,
      failureCount(outcome),
      isBounded(outcome) ? `${round((3 / trials) * 100)} %` : "",
      measured(outcome),
    ];
  });
  const head = ["fault", "what must hold", "trials", "failures", "rate below (95 %)", "measured"];
  return [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

function failureCount({ failures, late = [] }: RowOutcome): string {
  return late.length === 0
    ? String(failures.length)
    : `${failures.length}, and ${late.length} late`;
}

/** Nothing that failed in N trials bounds the rate at 3/N, with 95 % confidence. */
function isBounded({ trials, failures }: RowOutcome): boolean {
  return failures.length === 0 && trials > 0;
}

function timings({ timings = {} }: RowOutcome): [string, { p50: number; p99: number }][] {
  return Object.entries(timings)
    .filter(([, values]) => values.length > 0)
    .map(([what, values]) => [
      what,
      { p50: round(quantile(values, 0.5)), p99: round(quantile(values, 0.99)) },
    ]);
}

function measured(outcome: RowOutcome): string {
  const timed = timings(outcome).map(
    ([what, { p50, p99 }]) => `${what}: p50 ${p50}, p99 ${p99} ms`,
  );
  const counted = Object.entries(outcome.figures ?? {}).map(
    ([what, value]) => `${what}: ${round(value)}`,
  );
  return [...timed, ...counted].join("; ");
}

function mapValues(record: Readonly<Record<string, number>>, map: (value: number) => number) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}

/** Three digits say all that such a measurement knows; what is whole stays so. */
function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
