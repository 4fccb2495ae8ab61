import {
  ApprovalDecision,
  type ApprovalRequestEvent,
  type ApprovalResolutionEvent,
  type NoticeEvent,
  type ToolEvent,
  type ToolResultEvent,
  type TurnEvent,
} from "@breakglass/client";
import { timestampMs } from "@bufbuild/protobuf/wkt";

/** Deeper than this nothing is indented further: a phone is not wide. */
export const MAX_INDENT = 4;

/** An event of one kind. */
export type EventOf<K extends TurnEvent["kind"]["case"]> = TurnEvent & {
  readonly kind: Extract<TurnEvent["kind"], { case: K }>;
};

/** An approval that a tool call waits for, and what was decided. */
export interface Approval {
  readonly event: EventOf<"approvalRequest">;
  readonly request: ApprovalRequestEvent;
  /** Undefined: it waits. */
  readonly resolution: ApprovalResolutionEvent | undefined;
}

const REFUSALS: ReadonlySet<ApprovalDecision> = new Set([
  ApprovalDecision.DENIED,
  ApprovalDecision.EXPIRED,
  ApprovalDecision.WITHDRAWN,
]);

/** How far a tool call has come. */
export type CallState = "running" | "waiting" | "done" | "failed" | "denied" | "unanswered";

/** A row of its own for what needs none of the others. */
export class EventRow {
  readonly kind = "event";
  readonly key: number;
  readonly parent: ToolRow | undefined;
  readonly depth: number;
  readonly event: TurnEvent;

  /** @param depth - How many calls it is below. */
  constructor(event: TurnEvent, parent: ToolRow | undefined, depth: number) {
    this.key = event.sequence;
    this.event = event;
    this.parent = parent;
    this.depth = depth;
  }
}

/** The retries of one call of the model, as one row that counts. */
export class RetryRow {
  readonly kind = "retry";
  readonly key: number;
  readonly parent = undefined;
  readonly depth = 0;
  /** The newest. */
  event = $state.raw<TurnEvent>()!;
  notice = $state.raw<NoticeEvent>()!;
  /** How often it was tried again so far. */
  count = $state(1);
  /** Something followed: nothing waits for the next try any more. */
  isOver = $state(false);

  constructor(event: EventOf<"notice">) {
    this.key = event.sequence;
    this.event = event;
    this.notice = event.kind.value;
  }

  add(event: EventOf<"notice">): void {
    this.event = event;
    this.notice = event.kind.value;
    this.count++;
  }
}

/** A call of a tool, with all that came of it. */
export class ToolRow {
  readonly kind = "tool";
  readonly key: number;
  /** Undefined: the agent itself calls. */
  readonly parent: ToolRow | undefined;
  readonly depth: number;
  readonly event: TurnEvent;
  readonly call: ToolEvent;
  result = $state.raw<ToolResultEvent>();
  resultEvent = $state.raw<TurnEvent>();
  approvals = $state.raw<readonly Approval[]>([]);
  /** The turn has ended: what has not come never will. */
  isOver = $state(false);
  /** What its subagent does, in its order. */
  readonly children: Row[] = [];
  readonly state: CallState = $derived.by(() => this.#state());

  constructor(event: EventOf<"tool">, parent: ToolRow | undefined, depth: number) {
    this.key = event.sequence;
    this.event = event;
    this.parent = parent;
    this.call = event.kind.value;
    this.depth = depth;
  }

  get startMs(): number {
    return timeOf(this.event);
  }

  /** Undefined: it has not ended. */
  get endMs(): number | undefined {
    return this.resultEvent && timeOf(this.resultEvent);
  }

  #state(): CallState {
    const last = this.approvals.at(-1)?.resolution?.decision;
    if (this.result !== undefined) {
      if (!this.result.isError) return "done";
      return last !== undefined && REFUSALS.has(last) ? "denied" : "failed";
    }
    if (this.isOver) return "unanswered";
    return this.approvals.some(({ resolution }) => resolution === undefined)
      ? "waiting"
      : "running";
  }
}

/** An approval of a call that is not on record (yet). */
export class ApprovalRow {
  readonly kind = "approval";
  readonly key: number;
  readonly parent = undefined;
  readonly depth = 0;
  readonly event: EventOf<"approvalRequest">;
  approval = $state.raw<Approval>()!;

  constructor(approval: Approval) {
    this.key = approval.event.sequence;
    this.event = approval.event;
    this.approval = approval;
  }
}

export type Row = EventRow | RetryRow | ToolRow | ApprovalRow;

/** When the server recorded it, in milliseconds. */
export function timeOf({ createTime }: TurnEvent): number {
  return createTime === undefined ? 0 : timestampMs(createTime);
}
