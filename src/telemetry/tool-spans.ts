import { type Context, type Span, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { ApprovalDecisionSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import { enumName } from "../enum-name.ts";
import * as names from "./gen-ai.ts";

/** What one turn may have open. */
const MAX_OPEN = 256;
/** What one turn may have in all: a repair has dozens, an agent that runs wild any number. */
const MAX_SPANS = 5000;
/** A tool's name is shorter; a span's name has no limit of its own. */
const NAME_UNITS = 128;

type Kind<C extends EventKind["case"]> = Extract<EventKind, { case: C }>["value"];

/**
 * The spans of a turn's tools, each from its call to its result, and of the approvals below them.
 *
 * 1. However many an agent calls, a bounded number is open and a bounded number is made; the rest is counted.
 */
export class ToolSpans {
  readonly #tracer: Tracer;
  readonly #context: Context;
  readonly #tools = new Map<string, Span>();
  readonly #approvals = new Map<string, Span>();
  #made = 0;
  #leftOut = 0;

  /** @param context - The turn's. */
  constructor(tracer: Tracer, context: Context) {
    this.#tracer = tracer;
    this.#context = context;
  }

  /** An event of the turn. */
  take(kind: EventKind): void {
    if (kind.case === "tool") this.#call(kind.value);
    if (kind.case === "toolResult") this.#answer(kind.value);
    if (kind.case === "approvalRequest") this.#ask(kind.value);
    if (kind.case === "approvalResolution") this.#decide(kind.value);
  }

  /**
   * Ends what is open.
   *
   * @returns How many spans were left out.
   */
  end(time: number): number {
    for (const span of [...this.#approvals.values(), ...this.#tools.values()]) span.end(time);
    this.#approvals.clear();
    this.#tools.clear();
    return this.#leftOut;
  }

  #call({ toolId, name, parentToolId }: Kind<"tool">): void {
    if (this.#tools.has(toolId) || !this.#hasRoom()) return;
    const shown = name.slice(0, NAME_UNITS);
    const attributes = {
      [names.OPERATION]: "execute_tool",
      [names.TOOL_NAME]: shown,
      [names.TOOL_CALL_ID]: toolId,
    };
    const options = { startTime: Date.now(), attributes };
    const span = this.#tracer.startSpan(
      `execute_tool ${shown}`,
      options,
      this.#below(parentToolId),
    );
    this.#tools.set(toolId, span);
  }

  #answer({ toolId, isError }: Kind<"toolResult">): void {
    const span = this.#tools.get(toolId);
    if (span === undefined) return;
    this.#tools.delete(toolId);
    if (isError) {
      span.setAttribute(names.ERROR_TYPE, "tool_error");
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end(Date.now());
  }

  #ask({ approvalId, toolId, name }: Kind<"approvalRequest">): void {
    if (this.#approvals.has(approvalId) || !this.#hasRoom()) return;
    const attributes = {
      [names.APPROVAL_ID]: approvalId,
      [names.TOOL_NAME]: name.slice(0, NAME_UNITS),
      [names.TOOL_CALL_ID]: toolId,
    };
    const options = { startTime: Date.now(), attributes };
    this.#approvals.set(
      approvalId,
      this.#tracer.startSpan("wait for approval", options, this.#below(toolId)),
    );
  }

  #decide({ approvalId, decision }: Kind<"approvalResolution">): void {
    const span = this.#approvals.get(approvalId);
    if (span === undefined) return;
    this.#approvals.delete(approvalId);
    span.setAttribute(names.APPROVAL_DECISION, enumName(ApprovalDecisionSchema, decision));
    span.end(Date.now());
  }

  #below(toolId: string): Context {
    const tool = this.#tools.get(toolId);
    return tool === undefined ? this.#context : trace.setSpan(this.#context, tool);
  }

  #hasRoom(): boolean {
    const isRoom = this.#made < MAX_SPANS && this.#tools.size + this.#approvals.size < MAX_OPEN; // 1.
    if (isRoom) this.#made++;
    else this.#leftOut++;
    return isRoom;
  }
}
