import { randomUUID } from "node:crypto";
import { ApprovalDecision } from "../../gen/breakglass/v1/event_pb.ts";
import type { MemoryBudget } from "../stream/memory-budget.ts";
import type { EventKind } from "./agent.ts";
import { approvalRequestEvent, approvalResolutionEvent, type JsonText } from "./events.ts";

/** So many may wait at a time; an agent is not known to ask more than a handful. */
const MAX_OPEN = 100;
/** So many in one turn: the turn remembers how each was decided, and nobody answers as many. */
const MAX_ASKED = 10_000;
/** What one takes beside its input. */
const APPROVAL_BYTES = 1000;

/** A tool call that an approval is asked for. */
export interface AskedCall {
  /** The agent's id of the call, where it gives one. */
  readonly toolId: string | null | undefined;
  readonly name: string;
  readonly input: JsonText;
  readonly description: string | null | undefined;
}

/** A call that waits for its approval. */
export interface OpenApproval {
  /** The agent's id of the question. */
  readonly requestId: string;
  /** The input that is asked about, as the event shows it. Empty: nobody was shown it. */
  readonly inputJson: string;
}

/**
 * The approvals of one turn that wait for an answer.
 *
 * 1. Of two questions with one id of the agent's only the later waits: an answer to one is never taken for the other's.
 * 2. Each that was asked for ends once: by an answer, or by the event that says that nobody waits any more.
 */
export class OpenApprovals {
  readonly #memory: MemoryBudget;
  /** By our id. */
  readonly #open = new Map<string, OpenApproval & { readonly bytes: number }>();
  #asked = 0;

  /** @param memory - What waits is taken from it. */
  constructor(memory: MemoryBudget) {
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** The agent's ids of those that wait. */
  get requestIds(): string[] {
    return [...this.#open.values()].map(({ requestId }) => requestId);
  }

  /** Why no more can be asked about, as the end of a sentence. Undefined: they can. */
  whyFull(): string | undefined {
    if (this.#open.size >= MAX_OPEN) return `${MAX_OPEN} others wait already`;
    if (this.#asked >= MAX_ASKED) return `${MAX_ASKED} were asked about in this turn already`;
    return undefined;
  }

  /** Appends the event that asks. False, having done nothing, where there is no memory left to wait in. */
  open(requestId: string, call: AskedCall, into: EventKind[]): boolean {
    const { toolId, name, input, description } = call;
    const bytes = APPROVAL_BYTES + Buffer.byteLength(input.json);
    if (!this.#memory.take(bytes)) return false;
    const approvalId = randomUUID();
    this.#asked++;
    this.#open.set(approvalId, { requestId, inputJson: input.json, bytes });
    into.push(approvalRequestEvent(approvalId, toolId, name, input, description));
    return true;
  }

  /** One is answered. Undefined: it does not wait. */
  settle(approvalId: string): OpenApproval | undefined {
    const open = this.#open.get(approvalId);
    this.#open.delete(approvalId);
    this.#memory.giveBack(open?.bytes ?? 0);
    return open;
  }

  /** The agent no longer waits for one: appends the event that says so. */
  withdraw(requestId: string, into: EventKind[]): void {
    for (const [approvalId, open] of this.#open) {
      if (open.requestId !== requestId) continue;
      this.settle(approvalId);
      into.push(approvalResolutionEvent(approvalId, ApprovalDecision.WITHDRAWN));
    }
  }

  /** Nobody waits any more: appends the events that say so. */
  close(into: EventKind[]): void {
    for (const requestId of this.requestIds) this.withdraw(requestId, into);
  }
}
