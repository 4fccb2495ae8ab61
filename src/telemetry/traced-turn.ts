import {
  type Attributes,
  type Context,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace as traces,
} from "@opentelemetry/api";
import {
  ErrorReason,
  ErrorReasonSchema,
  TurnState,
  TurnStateSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin, TurnOriginSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import { enumName } from "../enum-name.ts";
import type { TurnHappenings } from "../happenings.ts";
import type { SpendingRecord, TurnRecord } from "../store/records.ts";
import type { TurnEndRecord } from "../store/writes.ts";
import type { TraceContext } from "../trace-context.ts";
import * as names from "./gen-ai.ts";
import { ToolSpans } from "./tool-spans.ts";

/**
 * The trace of one turn: a span of the turn, from when it was asked for, and below it one for its record, its wait, the start
 * of its agent, the agent's first text, each tool and each approval.
 */
export class TracedTurn implements TurnHappenings {
  readonly trace: TraceContext;
  readonly #tracer: Tracer;
  readonly #root: Span;
  readonly #context: Context;
  readonly #tools: ToolSpans;
  readonly #acceptedAt = Date.now();
  #startedAt = this.#acceptedAt;
  #endedAt: number | undefined;
  #hasSession = false;

  /** @param parent - What the trace goes on from. */
  constructor(
    tracer: Tracer,
    turn: TurnRecord,
    agentKind: string,
    trace: TraceContext | undefined,
    parent: Context,
  ) {
    this.#tracer = tracer;
    const isAsked = turn.origin === TurnOrigin.CALLER;
    this.#root = tracer.startSpan(
      `invoke_agent ${turn.agent}`,
      {
        // What an agent begins by itself answers no request.
        kind: isAsked ? SpanKind.SERVER : SpanKind.INTERNAL,
        startTime: turn.createTime,
        attributes: attributesOf(turn, agentKind),
      },
      parent,
    );
    this.#context = traces.setSpan(parent, this.#root);
    const { traceId, spanId, traceFlags } = this.#root.spanContext();
    const flags = traceFlags.toString(16).padStart(2, "0");
    const traceparent = `00-${traceId}-${spanId}-${flags}`;
    this.trace = { traceparent, tracestate: trace?.tracestate ?? "" };
    this.#tools = new ToolSpans(tracer, this.#context);
    this.#told("record", turn.createTime, this.#acceptedAt);
  }

  started(): void {
    this.#startedAt = Date.now();
    this.#told("wait", this.#acceptedAt, this.#startedAt);
  }

  wrote(): void {
    this.#told("first text", this.#startedAt, Date.now());
  }

  appended(kinds: readonly EventKind[]): void {
    for (const kind of kinds) {
      if (kind.case === "session") this.#cameUp(kind.value);
      else this.#tools.take(kind);
    }
  }

  /** Each comes as an event too, behind its tool's. */
  approval(): void {}

  ended(end: TurnEndRecord): void {
    this.#endedAt = Date.now();
    const { state, errorReason, permissionDenialCount } = end;
    this.#root.setAttributes({
      [names.TURN_STATE]: enumName(TurnStateSchema, state),
      [names.PERMISSION_DENIALS]: permissionDenialCount,
      ...spendingAttributes(end),
    });
    if (state !== TurnState.FAILED && state !== TurnState.LOST) return;
    const isNone = errorReason === ErrorReason.UNSPECIFIED;
    const type = isNone ? "is_error" : enumName(ErrorReasonSchema, errorReason);
    this.#root.setAttribute(names.ERROR_TYPE, type);
    this.#root.setStatus({ code: SpanStatusCode.ERROR });
  }

  over(): void {
    const endedAt = this.#endedAt ?? Date.now();
    const leftOut = this.#tools.end(endedAt);
    if (leftOut > 0) this.#root.setAttribute(names.SPANS_LEFT_OUT, leftOut);
    this.#root.end(endedAt);
  }

  #cameUp({ model, agentVersion }: Extract<EventKind, { case: "session" }>["value"]): void {
    if (this.#hasSession) return;
    this.#hasSession = true;
    this.#root.setAttributes({
      [names.RESPONSE_MODEL]: model,
      [names.AGENT_VERSION]: agentVersion,
    });
    this.#told("start agent", this.#startedAt, Date.now());
  }

  /** Something that is over. */
  #told(name: string, startTime: number, endTime: number): void {
    this.#tracer.startSpan(name, { startTime }, this.#context).end(endTime);
  }
}

function attributesOf(turn: TurnRecord, agentKind: string): Attributes {
  return {
    [names.OPERATION]: "invoke_agent",
    [names.PROVIDER]: names.providerOf(agentKind),
    [names.CONVERSATION_ID]: turn.sessionId,
    [names.AGENT_NAME]: turn.agent,
    [names.REQUEST_MODEL]: turn.model,
    [names.TURN_ID]: turn.turnId,
    [names.TURN_ORIGIN]: enumName(TurnOriginSchema, turn.origin),
  };
}

function spendingAttributes({ usage, totalCostUsd }: SpendingRecord): Attributes {
  const cost = { [names.COST_USD]: totalCostUsd };
  if (usage === undefined) return cost;
  return {
    ...cost,
    [names.INPUT_TOKENS]: Number(usage.inputTokens),
    [names.OUTPUT_TOKENS]: Number(usage.outputTokens),
    [names.CACHE_READ_TOKENS]: Number(usage.cacheReadInputTokens),
    [names.CACHE_CREATION_TOKENS]: Number(usage.cacheCreationInputTokens),
  };
}
