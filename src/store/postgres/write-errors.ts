import { Refusal } from "../../errors.ts";
import { isOutdated } from "./statements.ts";

/** Another server wrote the same in the same moment: done again, it is seen. */
export class Conflict extends Error {
  override readonly name = "Conflict";
}

/** A key that another server took in the same moment, two who waited for each other, and a session that was started over. */
const PASSING = ["23505", "40P01", "40001"];

/** Whether what failed may be done by who tries it again at once. */
export function isPassing(error: unknown): boolean {
  return error instanceof Conflict || isOutdated(error) || PASSING.includes(codeOf(error) ?? "");
}

/** The codes of PostgreSQL (its appendix A) by their classes, and what they mean to an operator. */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ["08", "the database cannot be reached"],
  [
    "23514",
    "the database has no partition for the turn's day, which is made 14 days ahead: look at both clocks",
  ],
  ["25006", "the database is read only: it is a standby, or was made so"],
  ["28", "the database does not take the user or the password"],
  ["3D", "there is no such database"],
  [
    "42501",
    "the database's user may not do this: it takes the rights to create in the schema and to write",
  ],
  ["53100", "the database's disk is full"],
  ["53", "the database is at its limits"],
  ["55P03", "another holds a lock of the database for long"],
  ["57P", "the database shuts down or starts"],
]);

/** Says in words what went wrong in the database. */
export function explainPostgresError(error: unknown): string {
  const code = codeOf(error);
  const { message } = error as Error;
  if (code === undefined) return message || String(error);
  const prefixes = [code, code.slice(0, 3), code.slice(0, 2)];
  const meaning = prefixes.map((prefix) => MEANINGS.get(prefix)).find((text) => text !== undefined);
  return meaning === undefined ? `${message} (${code})` : `${meaning} (${message})`;
}

/** What a caller is told of an error of the database's. */
export function failureOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const message = `the store failed: ${explainPostgresError(error)}`;
  return new Refusal("STORAGE", message, { retryAfterMs: 5000 });
}

/** Whether the connection that failed so is of no use any more: the database ends it, or is the primary no longer. */
export function isFatal(error: unknown): boolean {
  const { severity } = error as { severity?: string };
  const isEnding = severity === "FATAL" || severity === "PANIC";
  return isEnding || /^(57P|25006)/.test(codeOf(error) ?? "");
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
