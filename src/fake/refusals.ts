import { randomUUID } from "node:crypto";
import { Refusal, type RefusalDetails, type RefusalReason } from "../errors.ts";

/** What a refusal says beside its reason, as the service does; ids are of nothing. */
const DETAILS: Readonly<Record<RefusalReason, () => RefusalDetails>> = {
  INVALID_ARGUMENT: () => ({
    violations: [{ field: "prompt", description: "refused by the fake" }],
  }),
  TURN_IN_PROGRESS: () => ({ metadata: { turn_id: randomUUID() } }),
  TURN_ENDED: () => ({}),
  INTERRUPT_NOT_OBEYED: () => ({}),
  APPROVAL_NOT_FOUND: () => ({}),
  APPROVAL_RESOLVED: () => ({ metadata: { principal: "fake", decision: "ALLOWED" } }),
  APPROVAL_EXPIRED: () => ({}),
  SELF_APPROVAL_FORBIDDEN: () => ({}),
  ROLE_MISSING: () => ({ metadata: { role: "operator" } }),
  NOT_ALLOWED: () => ({ metadata: { access: "operate" } }),
  BYPASS_FORBIDDEN: () => ({}),
  AGENT_KIND_MISMATCH: () => ({ metadata: { agent_kind: "claude" } }),
  AGENT_KIND_NOT_SERVED: () => ({ metadata: { agent_kind: "claude" } }),
  UNSUPPORTED_BY_AGENT: () => ({ metadata: { agent_kind: "claude", capability: "steer" } }),
  TOO_MANY_TURNS: () => ({ retryAfterMs: 1000 }),
  TOO_MANY_SUBSCRIPTIONS: () => ({ retryAfterMs: 1000 }),
  TOO_MANY_REQUESTS: () => ({ retryAfterMs: 1000 }),
  BODY_TIMEOUT: () => ({}),
  SESSION_FULL: () => ({}),
  SPENDING_LIMIT: () => ({
    metadata: { limit: "cost_usd", most: "5", used: "5.25" },
    retryAfterMs: 3_600_000,
  }),
  QUOTA_EXCEEDED: () => ({
    metadata: { limit: "sessions", used: "10", most: "10", session_id: randomUUID() },
  }),
  REQUEST_ID_REUSED: () => ({}),
  NOT_FOUND: () => ({}),
  OUT_OF_RANGE: () => ({ metadata: { last_sequence: "0" } }),
  UNAUTHENTICATED: () => ({}),
  ORIGIN_NOT_ALLOWED: () => ({}),
  AGENT_NOT_ALLOWED: () => ({}),
  DRAINING: () => ({ retryAfterMs: 1000 }),
  STREAM_ENDED: () => ({ retryAfterMs: 1000 }),
  STORAGE: () => ({ retryAfterMs: 5000 }),
  FENCED: () => ({ retryAfterMs: 1000 }),
  SESSION_ELSEWHERE: () => ({ metadata: { home: "another" }, retryAfterMs: 5000 }),
  DATA_LOSS: () => ({ metadata: { sequence: "1" } }),
};

/** Every reason that a call can be refused for. */
export const REFUSAL_REASONS = Object.keys(DETAILS) as readonly RefusalReason[];

/** A refusal that nothing but a fault gave cause for. */
export function refusalFor(reason: RefusalReason, withRetryInfo: boolean): Refusal {
  const { retryAfterMs, ...details } = DETAILS[reason]();
  const retry = withRetryInfo && retryAfterMs !== undefined ? { retryAfterMs } : {};
  return new Refusal(reason, `refused by a fault of the fake: ${reason}`, { ...details, ...retry });
}
