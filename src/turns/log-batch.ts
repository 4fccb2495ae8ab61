import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind, TerminalKind } from "../agent/agent.ts";
import type { AuditEntry } from "../audit/entry.ts";
import type { Notification } from "../store/outbox.ts";
import type { ApprovalMark, EventBatch, SteerRequest } from "../store/writes.ts";
import { byteLength, decodeEvent, type EncodedEvent, encodeEvents } from "./encoded-event.ts";
import { eventOf } from "./turn-audit.ts";
import { endRecordOf } from "./turn-end.ts";

/** What goes on record with events. */
export interface AppendedWith {
  /** The last of the events, where it ends the turn. */
  readonly terminal?: TerminalKind | undefined;
  /** How often it called the model, where that is known and it ends. */
  readonly modelTurns?: number | undefined;
  /** Whether the turn, where it goes on, waits for an approval from now on. */
  readonly awaitsApproval?: boolean;
  /** The agent's conversation. Undefined: as before. */
  readonly agentSessionId?: string;
  /** The events of these that ask for an approval or say how one was decided, by their places in the batch. Undefined: none. */
  readonly approvals?: readonly AppendedApproval[];
  /** The request whose only event is the first of these. */
  readonly steer?: SteerRequest | undefined;
  /** Those of the events that somebody outside is to be told of. Undefined: none. */
  readonly notifications?: readonly Notification[] | undefined;
  /** What goes on the audit chain with them. */
  readonly audit?: readonly AuditEntry[];
}

/** As `ApprovalMark`, by the event's place in its batch. */
export interface AppendedApproval extends Omit<ApprovalMark, "sequence"> {
  readonly index: number;
}

/** Events that were given their places, until they are on disk. */
export interface LogBatch {
  readonly record: EventBatch;
  readonly bytes: number;
  /** The turn's, once it is on disk. */
  readonly state: TurnState;
}

/** What is appended to. */
interface LogEnd {
  readonly turnId: string;
  readonly nextSequence: number;
  readonly state: TurnState;
  /** The conversation on record. */
  readonly agentSessionId: string | undefined;
}

/** Events, and what they change of the turn's record. */
export function batchOf(
  at: LogEnd,
  events: readonly EncodedEvent[],
  {
    terminal,
    modelTurns,
    awaitsApproval = false,
    agentSessionId,
    steer,
    approvals = [],
    notifications,
    audit = [],
  }: AppendedWith,
): LogBatch {
  const end = terminal && endRecordOf(terminal);
  const state = end?.state ?? stateOf(awaitsApproval, at.state);
  const isConversationNew = agentSessionId !== undefined && agentSessionId !== at.agentSessionId;
  const marked = ({ index, ...approval }: AppendedApproval): ApprovalMark => ({
    ...approval,
    sequence: at.nextSequence + index,
  });
  const record = {
    turnId: at.turnId,
    firstSequence: at.nextSequence,
    events,
    time: Date.now(),
    ...(isConversationNew ? { agentSessionId } : {}),
    ...(end === undefined && state !== at.state ? { state } : {}),
    ...(steer === undefined ? {} : { steer }),
    ...(approvals.length === 0 ? {} : { approvals: approvals.map(marked) }),
    ...(notifications === undefined ? {} : { notifications }),
    ...(end === undefined ? {} : { end: { ...end, ...(modelTurns && { modelTurns }) } }),
    ...(audit.length === 0 ? {} : { audit }),
  };
  return { record, bytes: byteLength(events), state };
}

/** Which of a batch's events ask for an approval or say how one was decided. */
export function approvalsIn(kinds: readonly EventKind[]): AppendedApproval[] {
  return kinds.flatMap(({ case: name, value }, index) => {
    const isRequest = name === "approvalRequest";
    if (!isRequest && name !== "approvalResolution") return [];
    return [{ index, approvalId: value.approvalId, isRequest }];
  });
}

/**
 * The same batch with other events in the places of its own.
 *
 * @param auditOf - What the audit says of an event that takes another's place.
 */
export function rewritten(
  batch: LogBatch,
  rewrite: (kind: EventKind) => EventKind,
  auditOf: (kind: EventKind, sequence: number) => readonly AuditEntry[],
): LogBatch {
  let { audit } = batch.record;
  const events = batch.record.events.map((encoded) => {
    const { sequence, turnId, sessionId, kind } = decodeEvent(encoded);
    const other = rewrite(kind as EventKind);
    if (other === kind) return encoded;
    audit = audit?.flatMap((entry) =>
      eventOf(entry) === sequence ? auditOf(other, sequence) : [entry],
    );
    return encodeEvents({ turnId, sessionId }, sequence, batch.record.time, [other])[0]!;
  });
  const record = { ...batch.record, events, ...(audit === undefined ? {} : { audit }) };
  return { ...batch, record, bytes: byteLength(events) };
}

/** The state of a turn that goes on. */
function stateOf(awaitsApproval: boolean, before: TurnState): TurnState {
  if (awaitsApproval) return TurnState.AWAITING_APPROVAL;
  return before === TurnState.AWAITING_APPROVAL ? TurnState.RUNNING : before;
}
