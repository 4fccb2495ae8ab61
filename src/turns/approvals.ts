import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  ApprovalDecision,
  ApprovalDecisionSchema,
  ApprovalResolutionEventSchema,
  type TurnEvent,
} from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import { enumName } from "../enum-name.ts";
import { Refusal } from "../errors.ts";
import type { TurnRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { ApprovalAnswer } from "../turn-requests.ts";
import { decodeEvent, type EncodedEvent } from "./encoded-event.ts";

type RequestKind = Extract<EventKind, { case: "approvalRequest" }>;
type ResolutionKind = Extract<EventKind, { case: "approvalResolution" }>;

/** How one was decided, and by whom. */
type Decided = Pick<ResolutionKind["value"], "decision" | "principal">;

/** What an agent is told whose question nobody answered. */
export const EXPIRED_ANSWER: ApprovalAnswer = {
  allow: false,
  message: "Nobody approved the tool call in time.",
};

/** One that waits. */
interface Waiting {
  /** Of the event that asks. */
  readonly sequence: number;
  /** Denies it when its time is up. Undefined: the turn is ending. */
  readonly timer: NodeJS.Timeout | undefined;
}

/**
 * The approvals that one turn asks for.
 *
 * The first decision counts; each is made at once, in memory, so that of two at the same moment exactly one is the first.
 */
export class Approvals {
  readonly #waiting = new Map<string, Waiting>();
  /** Without what was written with the decision: a turn can have thousands. */
  readonly #decided = new Map<string, Decided>();
  readonly #expire: (approvalId: string) => void;
  readonly #tell: (kind: EventKind) => void;

  /**
   * @param expire - Called when nobody has decided one in time.
   * @param tell - Called with each that is asked for or decided.
   */
  constructor(expire: (approvalId: string) => void, tell: (kind: EventKind) => void) {
    this.#expire = expire;
    this.#tell = tell;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** The sequences of the events that ask for those that wait, in their order. */
  get sequences(): number[] {
    return Array.from(this.#waiting.values(), ({ sequence }) => sequence);
  }

  /**
   * Takes note of an event of the agent's: a request, which gets its expiry, or its withdrawal. Answers false for one that
   * says nothing new: what it withdraws has been decided.
   *
   * @param expireMs - How long a request waits from now on.
   * @param sequence - The event's.
   */
  note(kind: EventKind, expireMs: number, sequence: number): boolean {
    if (kind.case === "approvalRequest") this.#ask(kind, expireMs, sequence);
    if (kind.case !== "approvalResolution") return true;
    const waits = this.#waiting.has(kind.value.approvalId);
    if (waits) this.#settle(kind.value);
    return waits;
  }

  /**
   * Takes back what the newest events said, in the order in which they were noted or decided: they do not go on record. For
   * a turn that is ending: what waits again waits for its end.
   */
  undo(kinds: readonly TurnEvent["kind"][]): void {
    for (const kind of kinds.toReversed()) {
      if (kind.case === "approvalRequest") this.#forget(kind.value.approvalId);
      if (kind.case !== "approvalResolution") continue;
      this.#decided.delete(kind.value.approvalId);
      this.#waiting.set(kind.value.approvalId, { sequence: 0, timer: undefined });
    }
  }

  /**
   * Decides one that waits.
   *
   * @param principal - Who decides. Empty: nobody.
   * @returns The event that says so.
   * @throws Refusal APPROVAL_NOT_FOUND, APPROVAL_RESOLVED or APPROVAL_EXPIRED.
   */
  decide(approvalId: string, decision: Decision, principal = ""): EventKind {
    this.check(approvalId);
    const value = create(ApprovalResolutionEventSchema, { approvalId, principal, ...decision });
    this.#settle(value);
    return { case: "approvalResolution", value };
  }

  /** Throws as `decide` where it would. */
  check(approvalId: string): void {
    const decided = this.#decided.get(approvalId);
    if (decided !== undefined) throw alreadyDecided(decided);
    if (!this.#waiting.has(approvalId)) throw approvalNotFound();
  }

  /** The decision of a caller that nobody is to act on, made a withdrawal; everything else as it is. */
  withdrawn(kind: EventKind): EventKind {
    if (kind.case !== "approvalResolution" || kind.value.principal === "") return kind;
    const { approvalId } = kind.value;
    const withdrawal = { approvalId, decision: ApprovalDecision.WITHDRAWN };
    const value = create(ApprovalResolutionEventSchema, withdrawal);
    this.#settle(value);
    return { case: "approvalResolution", value };
  }

  /** Withdraws all that wait; answers the events that say so. */
  withdrawAll(): EventKind[] {
    const decision = { decision: ApprovalDecision.WITHDRAWN };
    return [...this.#waiting.keys()].map((approvalId) => this.decide(approvalId, decision));
  }

  #ask({ value }: RequestKind, expireMs: number, sequence: number): void {
    value.expireTime = timestampFromMs(Math.floor(Date.now() + expireMs));
    const { approvalId } = value;
    const timer = setTimeout(() => this.#expire(approvalId), expireMs);
    this.#waiting.set(approvalId, { sequence, timer });
    this.#tell({ case: "approvalRequest", value });
  }

  #forget(approvalId: string): void {
    clearTimeout(this.#waiting.get(approvalId)?.timer);
    this.#waiting.delete(approvalId);
  }

  #settle(value: ResolutionKind["value"]): void {
    this.#forget(value.approvalId);
    this.#tell({ case: "approvalResolution", value });
    this.#decided.set(value.approvalId, { decision: value.decision, principal: value.principal });
  }
}

/** A decision, without whose it is. */
export type Decision = Partial<Pick<ResolutionKind["value"], "message" | "inputJson">> &
  Pick<ResolutionKind["value"], "decision">;

/** The decision that an answer is. */
export function decisionOf(answer: ApprovalAnswer): Decision {
  if (!answer.allow) return { decision: ApprovalDecision.DENIED, message: answer.message };
  const { inputJson } = answer;
  if (inputJson === undefined) return { decision: ApprovalDecision.ALLOWED };
  return { decision: ApprovalDecision.ALLOWED_CHANGED, inputJson };
}

/** What is read of an ended turn's log at a time. */
const READ_BYTES = 256 * 1024;

/** Why a turn that has ended takes no answer: what its log says of the approval. */
export async function refusalOfLateAnswer(
  store: Pick<Store, "readEvents">,
  { turnId, permissionMode }: TurnRecord,
  approvalId: string,
): Promise<Refusal> {
  let refusal = approvalNotFound();
  if (permissionMode !== PermissionMode.ASK) return refusal;
  for (let after = 0; ; ) {
    const events = await store.readEvents(turnId, after, READ_BYTES);
    if (events.length === 0) return refusal;
    // To decode them all would hold up everyone else (measured: 2 s for 100,000).
    for (const event of events.filter((each) => holds(each, approvalId))) {
      refusal = refusalOf(decodeEvent(event), approvalId) ?? refusal;
    }
    after += events.length;
  }
}

/** Whether an event's bytes hold a text of ASCII, as they do where the event says it. */
function holds({ buffer, byteOffset, length }: EncodedEvent, text: string): boolean {
  return Buffer.from(buffer, byteOffset, length).includes(text, 0, "latin1");
}

/** What an event of an ended turn says of answering an approval. Undefined: it is not about it. */
function refusalOf({ kind }: TurnEvent, approvalId: string): Refusal | undefined {
  switch (kind.case) {
    case "approvalRequest":
      // Left without an answer, as when the server ended.
      return kind.value.approvalId === approvalId ? turnEnded() : undefined;
    case "approvalResolution":
      return kind.value.approvalId === approvalId ? alreadyDecided(kind.value) : undefined;
    default:
      return undefined;
  }
}

/** Refuses what only a turn that goes on can take. */
export function turnEnded(): Refusal {
  return new Refusal("TURN_ENDED", "the turn has ended, or is ending");
}

/** Refuses an approval that the turn never asked for. */
function approvalNotFound(): Refusal {
  return new Refusal("APPROVAL_NOT_FOUND", "the turn has asked for no such approval");
}

function alreadyDecided({ decision, principal }: Decided): Refusal {
  if (decision === ApprovalDecision.EXPIRED) {
    return new Refusal("APPROVAL_EXPIRED", "the approval expired, and the tool call was denied");
  }
  const name = enumName(ApprovalDecisionSchema, decision);
  const message =
    decision === ApprovalDecision.WITHDRAWN
      ? "the agent no longer asks for the approval"
      : `the approval was decided by ${principal}: ${name}`;
  return new Refusal("APPROVAL_RESOLVED", message, { metadata: { principal, decision: name } });
}
