import { STATUS_CODES } from "node:http";
import { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import type { HttpRequest, HttpResponse } from "../edge/http.ts";
import { leaveUnread } from "../edge/unread-request.ts";
import { Refusal, type RefusalReason } from "../errors.ts";
import type { Log } from "../log.ts";
import { MessageTooLarge } from "../rpc/message-bounds.ts";
import { INERT_HEADERS } from "./inert-headers.ts";

const STATUSES: Readonly<Record<RefusalReason, number>> = {
  INVALID_ARGUMENT: 400,
  TURN_IN_PROGRESS: 409,
  TURN_ENDED: 409,
  INTERRUPT_NOT_OBEYED: 409,
  APPROVAL_NOT_FOUND: 404,
  APPROVAL_RESOLVED: 409,
  APPROVAL_EXPIRED: 409,
  SELF_APPROVAL_FORBIDDEN: 403,
  ROLE_MISSING: 403,
  NOT_ALLOWED: 403,
  BYPASS_FORBIDDEN: 403,
  TOO_MANY_TURNS: 429,
  TOO_MANY_SUBSCRIPTIONS: 429,
  TOO_MANY_REQUESTS: 429,
  BODY_TIMEOUT: 408,
  SESSION_FULL: 409,
  SPENDING_LIMIT: 429,
  QUOTA_EXCEEDED: 409,
  AGENT_KIND_MISMATCH: 409,
  AGENT_KIND_NOT_SERVED: 409,
  UNSUPPORTED_BY_AGENT: 409,
  REQUEST_ID_REUSED: 409,
  NOT_FOUND: 404,
  OUT_OF_RANGE: 400,
  UNAUTHENTICATED: 401,
  ORIGIN_NOT_ALLOWED: 403,
  AGENT_NOT_ALLOWED: 403,
  DRAINING: 503,
  STREAM_ENDED: 503,
  STORAGE: 503,
  FENCED: 503,
  SESSION_ELSEWHERE: 503,
  DATA_LOSS: 500,
};

/** Every reason that a problem may have. */
export const REASONS = Object.keys(STATUSES) as readonly RefusalReason[];

/** What a plain request is refused with: the members of a problem detail (RFC 9457), and headers. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: the status says it all. */
  readonly refusal: Refusal | undefined;

  constructor(
    status: number,
    detail: string,
    headers: Readonly<Record<string, string>> = {},
    refusal?: Refusal,
  ) {
    super(detail);
    this.status = status;
    this.headers = headers;
    this.refusal = refusal;
  }

  /** The members of the problem detail. */
  get members(): Record<string, unknown> {
    const { reason, details } = this.refusal ?? {};
    return {
      type: "about:blank",
      title: STATUS_CODES[this.status],
      status: this.status,
      detail: this.message,
      ...(reason && { reason }),
      ...(details?.metadata && { metadata: details.metadata }),
      ...(details?.violations && { violations: details.violations }),
      ...(details?.retryAfterMs !== undefined && { retry_after_ms: details.retryAfterMs }),
    };
  }
}

/** The problem that a caller is told of; a defect is told as "internal error", with the whole of it in the log. */
export function problemOf(error: unknown, log: Log): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Refusal) return ofRefusal(error);
  if (error instanceof MessageTooLarge) return new Problem(413, error.message);
  if (error instanceof ConnectError)
    return new Problem(codeToHttpStatus(error.code), error.rawMessage);
  log.error("a request failed by a defect", { error });
  return new Problem(500, "internal error");
}

function ofRefusal(refusal: Refusal): Problem {
  const { reason, message, details } = refusal;
  const { retryAfterMs } = details;
  return new Problem(
    STATUSES[reason],
    message,
    {
      ...(retryAfterMs !== undefined && { "retry-after": String(Math.ceil(retryAfterMs / 1000)) }),
      ...(reason === "UNAUTHENTICATED" && { "www-authenticate": "Bearer" }),
    },
    refusal,
  );
}

/** Answers with a problem. */
export async function respondProblem(
  problem: Problem,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  await leaveUnread(request, response);
  response.writeHead(problem.status, {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    ...INERT_HEADERS,
    ...problem.headers,
  });
  response.end(JSON.stringify(problem.members));
}
