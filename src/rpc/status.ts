import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { ClientGone } from "../edge/stream-ending.ts";
import { Refusal, type RefusalReason } from "../errors.ts";
import type { Log } from "../log.ts";

/** The domain of every `ErrorInfo` of ours. */
export const ERROR_DOMAIN = "breakglass";

const CODES: Readonly<Record<RefusalReason, Code>> = {
  INVALID_ARGUMENT: Code.InvalidArgument,
  TURN_IN_PROGRESS: Code.FailedPrecondition,
  TURN_ENDED: Code.FailedPrecondition,
  INTERRUPT_NOT_OBEYED: Code.Aborted,
  APPROVAL_NOT_FOUND: Code.NotFound,
  APPROVAL_RESOLVED: Code.FailedPrecondition,
  APPROVAL_EXPIRED: Code.FailedPrecondition,
  SELF_APPROVAL_FORBIDDEN: Code.PermissionDenied,
  ROLE_MISSING: Code.PermissionDenied,
  NOT_ALLOWED: Code.PermissionDenied,
  BYPASS_FORBIDDEN: Code.PermissionDenied,
  AGENT_KIND_MISMATCH: Code.FailedPrecondition,
  AGENT_KIND_NOT_SERVED: Code.FailedPrecondition,
  UNSUPPORTED_BY_AGENT: Code.FailedPrecondition,
  TOO_MANY_TURNS: Code.ResourceExhausted,
  TOO_MANY_SUBSCRIPTIONS: Code.ResourceExhausted,
  TOO_MANY_REQUESTS: Code.ResourceExhausted,
  BODY_TIMEOUT: Code.DeadlineExceeded,
  SESSION_FULL: Code.ResourceExhausted,
  SPENDING_LIMIT: Code.ResourceExhausted,
  QUOTA_EXCEEDED: Code.ResourceExhausted,
  REQUEST_ID_REUSED: Code.AlreadyExists,
  NOT_FOUND: Code.NotFound,
  OUT_OF_RANGE: Code.OutOfRange,
  UNAUTHENTICATED: Code.Unauthenticated,
  ORIGIN_NOT_ALLOWED: Code.PermissionDenied,
  AGENT_NOT_ALLOWED: Code.PermissionDenied,
  DRAINING: Code.Unavailable,
  STREAM_ENDED: Code.Unavailable,
  STORAGE: Code.Unavailable,
  FENCED: Code.Unavailable,
  SESSION_ELSEWHERE: Code.Unavailable,
  DATA_LOSS: Code.DataLoss,
};

type Detail<S extends DescMessage = DescMessage> = { desc: S; value: MessageInitShape<S> };

/**
 * The status that a caller gets for an error: a refusal with its details, the framework's own errors as they are, and
 * everything else, which is a defect, as "internal error", with the whole of it in the log.
 */
export function statusOf(error: unknown, log: Log): ConnectError {
  if (error instanceof Refusal) {
    const { reason, message } = error;
    return new ConnectError(message, CODES[reason], undefined, detailsOf(error));
  }
  if (error instanceof ConnectError) return error;
  if (error instanceof ClientGone) return new ConnectError(error.message, Code.Canceled);
  log.error("a request failed by a defect", { error });
  return new ConnectError("internal error", Code.Internal);
}

function detailsOf({ reason, details }: Refusal): Detail[] {
  const info = { reason, domain: ERROR_DOMAIN, metadata: { ...details.metadata } };
  const found: Detail[] = [{ desc: ErrorInfoSchema, value: info }];
  if (details.violations !== undefined) {
    const fieldViolations = details.violations.map((violation) => ({ ...violation }));
    found.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  if (details.retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(details.retryAfterMs);
    found.push({ desc: RetryInfoSchema, value: { retryDelay } });
  }
  return found;
}
