import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import {
  ApprovalDecisionSchema,
  ErrorReason,
  ErrorReasonSchema,
  TurnState,
  TurnStateSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin, TurnOriginSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { enumName } from "../enum-name.ts";
import type { TurnEndRecord } from "../store/writes.ts";

const SECOND_MS = 1000;
/** A prompt's first text comes within seconds, a repair takes minutes, and who approves may be asleep. */
const WAIT_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const TEXT_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600];
const TURN_BOUNDS = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600];
const APPROVAL_BOUNDS = [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];

/**
 * What is counted of turns. Labels are names of enums: no id, no principal, no model and no tool, which callers and agents
 * choose.
 *
 * 1. What comes in floods, events, is counted in plain numbers; the registry hears of them when it is read.
 */
export class TurnSeries {
  readonly started: Counter<"origin">;
  readonly ended: Counter<"state" | "reason">;
  readonly wait: Histogram;
  readonly firstText: Histogram;
  readonly duration: Histogram<"state">;
  readonly decided: Counter<"decision">;
  readonly approvalWait: Histogram<"decision">;
  readonly refused: Counter<"reason">;
  readonly cost: Counter;
  readonly tokens: Counter<"type">;
  /** 1. */
  readonly events = new Map<string, number>();
  /** When those that wait were asked for, the oldest first. */
  readonly #approvals = new Set<{ readonly since: number }>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.started = new Counter({
      ...{ name: "breakglass_turns_started_total", help: "Turns that were recorded.", registers },
      labelNames: ["origin"],
    });
    this.ended = new Counter({
      ...{ name: "breakglass_turns_ended_total", help: "Turns whose end is on record.", registers },
      labelNames: ["state", "reason"],
    });
    this.wait = new Histogram({
      name: "breakglass_turn_wait_seconds",
      help: "From when a turn was asked for until its agent began.",
      ...{ registers, buckets: WAIT_BOUNDS },
    });
    this.firstText = new Histogram({
      name: "breakglass_turn_first_text_seconds",
      help: "From when a turn was asked for until its agent wrote the first of its text.",
      ...{ registers, buckets: TEXT_BOUNDS },
    });
    this.duration = new Histogram({
      name: "breakglass_turn_duration_seconds",
      help: "From when a turn was asked for until its end was on record.",
      ...{ registers, buckets: TURN_BOUNDS, labelNames: ["state"] },
    });
    this.decided = new Counter({
      name: "breakglass_approvals_decided_total",
      help: "Approvals that were decided, expired or were withdrawn.",
      ...{ registers, labelNames: ["decision"] },
    });
    this.approvalWait = new Histogram({
      name: "breakglass_approval_wait_seconds",
      help: "How long approvals waited for their decision.",
      ...{ registers, buckets: APPROVAL_BOUNDS, labelNames: ["decision"] },
    });
    this.refused = new Counter({
      name: "breakglass_requests_refused_total",
      help: "Requests that were refused, by the reason that their callers were told.",
      ...{ registers, labelNames: ["reason"] },
    });
    this.cost = new Counter({
      name: "breakglass_cost_usd_total",
      help: "What ended turns cost in US dollars, as their agents told.",
      registers,
    });
    this.tokens = new Counter({
      name: "breakglass_tokens_total",
      help: "Tokens that ended turns used, as their agents told.",
      ...{ registers, labelNames: ["type"] },
    });
    this.#registerPolled(registers);
    this.#beginAtZero();
  }

  /** An approval waits from now on. */
  askApproval(): { readonly since: number } {
    const asked = { since: Date.now() };
    this.#approvals.add(asked);
    return asked;
  }

  /** It waits no longer. */
  forgetApproval(asked: { readonly since: number }): void {
    this.#approvals.delete(asked);
  }

  countEnd({ state, errorReason, usage, totalCostUsd }: TurnEndRecord): void {
    this.ended.inc(endLabels(state, errorReason));
    // What is not a number, or below 0, is no cost; the counter would throw.
    if (totalCostUsd > 0 && Number.isFinite(totalCostUsd)) this.cost.inc(totalCostUsd);
    if (usage === undefined) return;
    this.tokens.inc({ type: "input" }, Number(usage.inputTokens));
    this.tokens.inc({ type: "output" }, Number(usage.outputTokens));
    this.tokens.inc({ type: "cache_read" }, Number(usage.cacheReadInputTokens));
    this.tokens.inc({ type: "cache_creation" }, Number(usage.cacheCreationInputTokens));
  }

  #registerPolled(registers: Registry[]): void {
    const { events } = this;
    const approvals = this.#approvals;
    new Counter({
      name: "breakglass_events_total",
      help: "Events that were given their places, by their kind.",
      ...{ registers, labelNames: ["kind"] },
      collect() {
        this.reset();
        for (const [kind, count] of events) this.inc({ kind }, count);
      },
    });
    new Gauge({
      ...{ name: "breakglass_approvals_waiting", help: "Tool calls that wait for an approval." },
      registers,
      collect() {
        this.set(approvals.size);
      },
    });
    new Gauge({
      name: "breakglass_approval_oldest_wait_seconds",
      help: "How long the tool call has waited that has waited longest for its approval; 0: none waits.",
      registers,
      collect() {
        const [oldest] = approvals;
        this.set(oldest === undefined ? 0 : secondsSince(oldest.since));
      },
    });
  }

  /** A series that begins with its first increment hides that increment from `rate` and `increase`. */
  #beginAtZero(): void {
    this.started.inc({ origin: enumName(TurnOriginSchema, TurnOrigin.CALLER) }, 0);
    this.started.inc({ origin: enumName(TurnOriginSchema, TurnOrigin.AGENT) }, 0);
    for (const [state, reasons] of ENDS) {
      for (const reason of reasons) this.ended.inc(endLabels(state, reason), 0);
    }
    for (const { number, localName } of ApprovalDecisionSchema.values) {
      if (number !== 0) this.decided.inc({ decision: localName }, 0);
    }
    for (const reason of REFUSALS) this.refused.inc({ reason }, 0);
    for (const type of ["input", "output", "cache_read", "cache_creation"]) {
      this.tokens.inc({ type }, 0);
    }
  }
}

/** Those that somebody waits for, as an alert does. */
const REFUSALS = [
  "UNAUTHENTICATED",
  "AGENT_NOT_ALLOWED",
  "ORIGIN_NOT_ALLOWED",
  "TOO_MANY_TURNS",
  "STORAGE",
] as const;

const NO_FAILURES: readonly ErrorReason[] = [
  ...[ErrorReason.CANCELED, ErrorReason.SERVER_RESTARTED, ErrorReason.SERVER_SHUTDOWN],
];
const FAILURES = ErrorReasonSchema.values
  .map(({ number }) => number as ErrorReason)
  .filter((reason) => !NO_FAILURES.includes(reason));

/** How turns end, with the reasons of each. */
const ENDS: readonly (readonly [TurnState, readonly ErrorReason[]])[] = [
  [TurnState.SUCCEEDED, [ErrorReason.UNSPECIFIED]],
  [TurnState.FAILED, FAILURES],
  [TurnState.CANCELED, [ErrorReason.CANCELED]],
  [TurnState.LOST, [ErrorReason.SERVER_RESTARTED, ErrorReason.SERVER_SHUTDOWN]],
];

function endLabels(state: TurnState, reason: ErrorReason) {
  const isNone = reason === ErrorReason.UNSPECIFIED;
  return {
    state: enumName(TurnStateSchema, state),
    reason: isNone ? "none" : enumName(ErrorReasonSchema, reason),
  };
}

/** Never below 0, whatever the clock does. */
export function secondsSince(time: number): number {
  return Math.max(0, Date.now() - time) / SECOND_MS;
}
