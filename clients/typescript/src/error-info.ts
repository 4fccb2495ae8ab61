import { durationMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../gen/google/rpc/error_details_pb.ts";

/** Why a server refuses a call. */
export type Reason =
  | "INVALID_ARGUMENT"
  | "TURN_IN_PROGRESS"
  | "TURN_ENDED"
  | "INTERRUPT_NOT_OBEYED"
  | "APPROVAL_NOT_FOUND"
  | "APPROVAL_RESOLVED"
  | "APPROVAL_EXPIRED"
  | "SELF_APPROVAL_FORBIDDEN"
  | "ROLE_MISSING"
  | "NOT_ALLOWED"
  | "BYPASS_FORBIDDEN"
  | "AGENT_KIND_MISMATCH"
  | "AGENT_KIND_NOT_SERVED"
  | "UNSUPPORTED_BY_AGENT"
  | "TOO_MANY_TURNS"
  | "TOO_MANY_SUBSCRIPTIONS"
  | "TOO_MANY_REQUESTS"
  | "BODY_TIMEOUT"
  | "SESSION_FULL"
  | "SPENDING_LIMIT"
  | "QUOTA_EXCEEDED"
  | "REQUEST_ID_REUSED"
  | "NOT_FOUND"
  | "OUT_OF_RANGE"
  | "UNAUTHENTICATED"
  | "ORIGIN_NOT_ALLOWED"
  | "AGENT_NOT_ALLOWED"
  | "DRAINING"
  | "STREAM_ENDED"
  | "STORAGE"
  | "FENCED"
  | "SESSION_ELSEWHERE"
  | "DATA_LOSS";

/** A field of a request and what is wrong with it. */
export interface FieldViolation {
  /** The field's name in the proto. */
  readonly field: string;
  /** What is wrong and what would be right. */
  readonly description: string;
}

/** What a refusal says of itself, for programs. */
export interface ErrorInfo {
  /** Why. A newer server may have others than those that are named. */
  readonly reason: Reason | (string & {});
  /** What belongs to the reason, as `turn_id` to `TURN_IN_PROGRESS`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** With `INVALID_ARGUMENT`: the fields. */
  readonly violations: readonly FieldViolation[];
  /** So long the server asks to be left alone, in milliseconds. Undefined: it does not say that trying again helps. */
  readonly retryDelayMs: number | undefined;
}

/**
 * Reads what a refusal says of itself. Undefined for whatever is no refusal by a breakglass server: a broken connection, a
 * proxy's word.
 */
export function errorInfoOf(error: unknown): ErrorInfo | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const [info] = error.findDetails(ErrorInfoSchema);
  if (info === undefined) return undefined;
  const { reason, metadata } = info;
  return {
    reason,
    metadata,
    violations: violationsOf(error),
    retryDelayMs: retryDelayMsOf(error),
  };
}

/** The fields of a request that whoever answered found wrong. */
export function violationsOf(error: ConnectError): FieldViolation[] {
  return error
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations)
    .map(({ field, description }) => ({ field, description }));
}

/** How long the server asks to be left alone, in milliseconds. Undefined: it does not say that trying again helps. */
export function retryDelayMsOf(error: ConnectError): number | undefined {
  const [retry] = error.findDetails(RetryInfoSchema);
  return retry?.retryDelay === undefined ? undefined : durationMs(retry.retryDelay);
}
