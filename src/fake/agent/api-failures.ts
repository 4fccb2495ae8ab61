import type { ApiFailureKind } from "../script.ts";

/** How a turn ends that the CLI itself gives up on. */
interface GivenUp {
  /** What its synthetic message says, which is the result too. Unset: there is none, and the result has `errors`. */
  readonly said?: string;
  /** The CLI's own name for the error. */
  readonly error?: string;
  readonly status?: number;
  readonly stopReason: string;
  /** Of the result. */
  readonly subtype: string;
  readonly errors?: readonly string[];
}

const api = (said: string, error: string, status?: number): GivenUp => ({
  said,
  error,
  ...(status !== undefined && { status }),
  stopReason: "stop_sequence",
  subtype: "success",
});

/** As the recorded runs of the CLI have them, but for `billing`, which is worded as the model's API words it. */
const FAILURES: Readonly<Record<ApiFailureKind, GivenUp>> = {
  auth: api("Invalid API key · Fix external API key", "authentication_failed", 401),
  "not-logged-in": api("Not logged in · Please run /login", "authentication_failed"),
  billing: api("Credit balance is too low", "billing_error", 400),
  "rate-limit": api("API Error: Request rejected (429) · rate limited", "rate_limit", 429),
  overloaded: api(
    "API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment.",
    "overloaded",
    529,
  ),
  "server-error": api(
    "API Error: 500 Internal server error. This is a server-side issue, usually temporary — try again in a moment.",
    "server_error",
    500,
  ),
  unreachable: api(
    "API Error: Connection refused — a firewall or proxy may be blocking it (ECONNREFUSED)",
    "server_error",
  ),
  refusal: {
    ...api("API Error: the model's safeguards flagged this message.", "invalid_request"),
    stopReason: "refusal",
  },
  "max-turns": {
    stopReason: "tool_use",
    subtype: "error_max_turns",
    errors: ["Reached maximum number of turns (2)"],
  },
  "max-budget": {
    stopReason: "end_turn",
    subtype: "error_max_budget_usd",
    errors: ["Reached maximum budget ($0.0001)"],
  },
};

/** The lines' own members, and what the result says beside its text. */
export interface FailureLines {
  /** The CLI's own message. Undefined: there is none. */
  readonly message: object | undefined;
  readonly text: string;
  readonly members: object;
}

/** What the CLI prints when it gives up so. */
export function failureLines(kind: ApiFailureKind, sessionId: string): FailureLines {
  const { said, error, status, stopReason, subtype, errors } = FAILURES[kind];
  const message = said !== undefined && {
    type: "assistant",
    message: {
      id: "synthetic_1",
      role: "assistant",
      model: "<synthetic>",
      content: [{ type: "text", text: said }],
      stop_reason: stopReason,
      usage: { input_tokens: 0, output_tokens: 0 },
    },
    parent_tool_use_id: null,
    session_id: sessionId,
    error,
    ...(status !== undefined && { api_error_status: status }),
  };
  return {
    message: message || undefined,
    text: said ?? "",
    members: {
      subtype,
      is_error: true,
      stop_reason: stopReason,
      total_cost_usd: 0,
      usage: { input_tokens: 0, output_tokens: 0 },
      ...(status !== undefined && { api_error_status: status }),
      ...(errors && { errors }),
    },
  };
}
