import { Refusal } from "../../errors.ts";
import type { Answer, Call, Failure } from "./messages.ts";
import type { Method } from "./methods.ts";
import { packEvents } from "./packed-events.ts";
import type { SqliteDatabase } from "./sqlite-database.ts";
import { explainSqliteError } from "./sqlite-failure.ts";

/** What a call asks for. */
export function methodOf(database: SqliteDatabase, { method }: Call): Method {
  return database.methods[method] as Method;
}

/**
 * Performs writes in one transaction. One that is refused or fails leaves nothing of itself in it, and does not keep the
 * others from being committed.
 */
export function commit(database: SqliteDatabase, writes: readonly Call[]): Answer[] {
  if (writes.length === 0) return [];
  try {
    return database.transaction(() => writes.map((call) => write(database, call)));
  } catch (error) {
    // The transaction is lost, with what went well in it: each by itself, so that none fails for another's sake.
    if (writes.length > 1) return writes.flatMap((call) => commit(database, [call]));
    return writes.map(({ id }) => ({ id, failure: failureOf(error) }));
  }
}

/** Performs a call outside of a transaction. */
export function read(database: SqliteDatabase, call: Call): Answer {
  try {
    return perform(database, call);
  } catch (error) {
    return { id: call.id, failure: failureOf(error) };
  }
}

function write(database: SqliteDatabase, call: Call): Answer {
  try {
    // SQLite undoes a statement that fails by itself: a savepoint, 4 µs, would add nothing.
    if (methodOf(database, call).isOneStatement?.(...call.args)) return perform(database, call);
    return database.savepoint(() => perform(database, call));
  } catch (error) {
    if (!database.isTransaction) throw error;
    return { id: call.id, failure: failureOf(error) };
  }
}

function perform(database: SqliteDatabase, call: Call): Answer {
  const { id, method, args } = call;
  const value = methodOf(database, call).perform(...args);
  return method === "readEvents"
    ? { id, events: packEvents(value as Uint8Array[]) }
    : { id, value };
}

function failureOf(error: unknown): Failure {
  if (error instanceof Refusal) {
    const { reason, message, details } = error;
    return { reason, message, details };
  }
  return {
    reason: "STORAGE",
    message: `the store failed: ${explainSqliteError(error)}`,
    details: { retryAfterMs: 5000 },
  };
}
