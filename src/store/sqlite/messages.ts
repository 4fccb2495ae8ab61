import type { RefusalDetails, RefusalReason } from "../../errors.ts";
import type { SqliteDatabase } from "./sqlite-database.ts";

/** What can be asked of the worker. */
export type Method = Exclude<keyof SqliteDatabase, "transaction">;

/** A call of one of the database's operations. */
export interface Call {
  readonly id: number;
  readonly method: Method;
  readonly args: readonly unknown[];
  /** About how much it writes. */
  readonly bytes: number;
}

/** A `Refusal` on its way between threads. */
export interface Failure {
  readonly reason: RefusalReason;
  readonly message: string;
  readonly details: RefusalDetails;
}

/** What came of a call. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure };

/** The worker's first message. */
export type ReadyMessage =
  | { readonly ready: true }
  | { readonly ready: false; readonly message: string };

const WRITES: ReadonlySet<Method> = new Set([
  "createTurn",
  "beginTurn",
  "append",
  "claimConversation",
  "recordProcess",
  "recordProcessGone",
  "deleteSession",
  "removeEndedTurns",
  "removeSome",
  "recordRemoved",
]);

/** Whether an operation changes the database, and so belongs into a transaction. */
export function isWrite(method: Method): boolean {
  return WRITES.has(method);
}
