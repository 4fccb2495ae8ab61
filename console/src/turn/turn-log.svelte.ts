import { ApprovalDecision, NoticeReason, type TurnEvent } from "@breakglass/client";
import { RowTree } from "./row-tree.ts";
import {
  type Approval,
  ApprovalRow,
  type EventOf,
  EventRow,
  RetryRow,
  type Row,
  ToolRow,
} from "./rows.svelte.ts";

/** The text that the agent writes, as far as it came. */
export interface LiveText {
  readonly messageId: string;
  readonly text: string;
}

/** Calls `apply` once, soon; not again before it did. */
export type Schedule = (apply: () => void) => void;

/**
 * The events of one turn as rows of a page.
 *
 * 1. What is taken is applied later, all at once: the page changes once a frame, however much comes.
 * 2. An event costs the same in the first row and in the twenty-thousandth. Only rows that come above others cost a look at all rows, once a frame.
 * 3. A sequence that was taken is not taken again.
 * 4. A call has what belongs to it: its result, its approvals, its subagent's rows below it, whenever they come.
 */
export class TurnLog {
  /** All rows in the order of the page. The array is the same one, and grows: read `version` to be told. */
  get rows(): readonly Row[] {
    void this.version;
    return this.#tree.rows;
  }
  /** Counts the times that rows were added. */
  version = $state(0);
  /** Undefined: the agent writes nothing now. */
  live = $state.raw<LiveText>();
  /** The calls of tools, in the order of their events. The array is the same one, and grows. */
  get calls(): readonly ToolRow[] {
    void this.version;
    return this.#calls;
  }
  /** How many approvals wait. */
  waiting = $state(0);
  /** The terminal event. */
  end = $state.raw<EventOf<"result"> | EventOf<"error">>();
  /** What the agent said that it is. */
  session = $state.raw<EventOf<"session">>();
  /** The newest sequence that was applied. */
  lastSequence = 0;

  readonly #tree = new RowTree();
  readonly #calls: ToolRow[] = [];
  readonly #byToolId = new Map<string, ToolRow>();
  readonly #bySequence = new Map<number, Row>();
  readonly #byApprovalId = new Map<string, ApprovalRow | ToolRow>();
  /** By the ids of the calls that they are of. */
  readonly #earlyApprovals = new Map<string, ApprovalRow>();
  #retry: RetryRow | undefined;
  #pending: TurnEvent[] = [];
  #isScheduled = false;
  readonly #schedule: Schedule;

  /** @param schedule - When what was taken is applied: with the next frame. */
  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** Takes what the stream tells, in its order. */
  take(event: TurnEvent): void {
    this.#pending.push(event);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#schedule(this.apply); // 1.
  }

  /** Applies what was taken, now. */
  readonly apply = (): void => {
    this.#isScheduled = false;
    const taken = this.#pending;
    this.#pending = [];
    const before = this.lastSequence;
    for (const event of taken) this.#apply(event);
    this.#tree.order(); // 2.
    if (this.lastSequence !== before) this.version++;
  };

  /** The row that an event is in; undefined: it has not come. */
  rowOf(sequence: number): Row | undefined {
    return this.#bySequence.get(sequence);
  }

  callOf(toolId: string): ToolRow | undefined {
    return this.#byToolId.get(toolId);
  }

  #apply(event: TurnEvent): void {
    const { sequence, kind } = event;
    if (kind.case === "textDelta") {
      this.#write(kind.value.messageId, kind.value.text);
      return;
    }
    if (sequence <= this.lastSequence) return; // 3. and those that are not durable
    this.lastSequence = sequence;
    const row = this.#rowFor(event);
    if (row !== undefined) this.#bySequence.set(sequence, row);
  }

  #write(messageId: string, text: string): void {
    const { live } = this;
    const isSame = messageId === live?.messageId && text !== "";
    const whole = isSame ? live.text + text : text;
    this.live = whole === "" ? undefined : { messageId, text: whole };
  }

  #rowFor(event: TurnEvent): Row | undefined {
    const { kind } = event;
    const isRetry = kind.case === "notice" && kind.value.reason === NoticeReason.API_RETRY;
    if (!isRetry) this.#endRetry();
    switch (kind.case) {
      case "text":
        if (kind.value.parentToolId === "") this.live = undefined;
        return this.#add(event, kind.value.parentToolId);
      case "thinking":
        return this.#add(event, kind.value.parentToolId);
      case "tool":
        return this.#addCall(event as EventOf<"tool">);
      case "toolResult":
        return this.#addResult(event as EventOf<"toolResult">);
      case "approvalRequest":
        return this.#addApproval(event as EventOf<"approvalRequest">);
      case "approvalResolution":
        return this.#resolve(event as EventOf<"approvalResolution">);
      case "notice":
        return isRetry ? this.#addRetry(event as EventOf<"notice">) : this.#add(event, "");
      case "session":
        this.session = event as EventOf<"session">;
        return this.#add(event, "");
      case "result":
      case "error":
        this.#finish(event as EventOf<"result"> | EventOf<"error">);
        return this.#add(event, "");
      default:
        return this.#add(event, "");
    }
  }

  #add(event: TurnEvent, parentToolId: string): Row {
    const parent = this.#byToolId.get(parentToolId);
    const row = new EventRow(event, parent, depthBelow(parent, parentToolId));
    this.#tree.add(row);
    return row;
  }

  #addCall(event: EventOf<"tool">): Row {
    const { toolId, parentToolId } = event.kind.value;
    const parent = this.#byToolId.get(parentToolId);
    const row = new ToolRow(event, parent, depthBelow(parent, parentToolId));
    // Only now: a call that names itself is not below itself.
    if (toolId !== "") this.#byToolId.set(toolId, row);
    this.#calls.push(row);
    this.#tree.add(row);
    const early = this.#earlyApprovals.get(toolId);
    if (early !== undefined) this.#moveApproval(early, row);
    return row;
  }

  #addResult(event: EventOf<"toolResult">): Row {
    const { toolId, parentToolId } = event.kind.value;
    const call = this.#byToolId.get(toolId);
    if (call === undefined || call.result !== undefined) return this.#add(event, parentToolId);
    call.result = event.kind.value; // 4.
    call.resultEvent = event;
    return call;
  }

  #addApproval(event: EventOf<"approvalRequest">): Row {
    const request = event.kind.value;
    const approval: Approval = { event, request, resolution: undefined };
    this.waiting++;
    const call = this.#byToolId.get(request.toolId);
    if (call !== undefined && call.result === undefined) {
      call.approvals = [...call.approvals, approval];
      this.#byApprovalId.set(request.approvalId, call);
      return call;
    }
    const row = new ApprovalRow(approval);
    this.#byApprovalId.set(request.approvalId, row);
    if (request.toolId !== "") this.#earlyApprovals.set(request.toolId, row);
    this.#tree.add(row);
    return row;
  }

  #resolve(event: EventOf<"approvalResolution">): Row {
    const resolution = event.kind.value;
    const row = this.#byApprovalId.get(resolution.approvalId);
    if (row === undefined) return this.#add(event, "");
    const decided = (approval: Approval): Approval => {
      if (approval.request.approvalId !== resolution.approvalId) return approval;
      if (approval.resolution === undefined) this.waiting--;
      return { ...approval, resolution };
    };
    if (row.kind === "tool") row.approvals = row.approvals.map(decided);
    else row.approval = decided(row.approval);
    return row;
  }

  /** The call that an approval is of came after it: it is shown there. */
  #moveApproval(early: ApprovalRow, call: ToolRow): void {
    call.approvals = [early.approval];
    this.#earlyApprovals.delete(call.call.toolId);
    this.#byApprovalId.set(early.approval.request.approvalId, call);
    this.#bySequence.set(early.key, call);
    this.#tree.remove(early);
  }

  #addRetry(event: EventOf<"notice">): Row {
    const { attempt } = event.kind.value;
    if (this.#retry !== undefined && attempt > this.#retry.notice.attempt) {
      this.#retry.add(event);
      return this.#retry;
    }
    this.#endRetry();
    const row = new RetryRow(event);
    this.#retry = row;
    this.#tree.add(row);
    return row;
  }

  #endRetry(): void {
    if (this.#retry !== undefined) this.#retry.isOver = true;
    this.#retry = undefined;
  }

  #finish(event: EventOf<"result"> | EventOf<"error">): void {
    this.end = event;
    this.live = undefined;
    this.waiting = 0;
    for (const call of this.#calls) call.isOver = true;
    for (const [approvalId, row] of this.#byApprovalId) {
      const decided = (approval: Approval): Approval =>
        approval.request.approvalId === approvalId && approval.resolution === undefined
          ? { ...approval, resolution: withdrawn(approval) }
          : approval;
      if (row.kind === "tool") row.approvals = row.approvals.map(decided);
      else row.approval = decided(row.approval);
    }
  }
}

/** A subagent whose call is not on record is a step in as well. */
function depthBelow(parent: ToolRow | undefined, parentToolId: string): number {
  if (parent !== undefined) return parent.depth + 1;
  return parentToolId === "" ? 0 : 1;
}

/** The turn has ended under it. */
function withdrawn({ request }: Approval): NonNullable<Approval["resolution"]> {
  return {
    $typeName: "breakglass.v1.ApprovalResolutionEvent",
    approvalId: request.approvalId,
    decision: ApprovalDecision.WITHDRAWN,
    principal: "",
    message: "",
    inputJson: "",
    truncated: false,
    totalBytes: 0n,
  };
}
