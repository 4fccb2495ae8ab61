import type { RefusalDetails, RefusalReason } from "../../errors.ts";
import type { MethodName } from "./methods.ts";
import type { PackedEvents } from "./packed-events.ts";

/** A call of one of the store's methods. */
export interface Call {
  readonly id: number;
  readonly method: MethodName;
  readonly args: readonly unknown[];
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
  | { readonly id: number; readonly events: PackedEvents }
  | { readonly id: number; readonly failure: Failure };

/** The thread's first message. */
export type ReadyMessage =
  | { readonly ready: true; readonly methods: readonly MethodName[] }
  | { readonly ready: false; readonly message: string };
