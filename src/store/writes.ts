import type { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import type { AuditEntry } from "../audit/entry.ts";
import type { DayLimits, DaySpending } from "../day-spending.ts";
import type { RefusalDetails, RefusalReason } from "../errors.ts";
import type { Notification } from "./outbox.ts";
import type { AttachmentRecord, SessionRecord, SpendingRecord, TurnRecord } from "./records.ts";

/** What a kind of agent says of a turn before that is recorded. */
export interface AgentStance {
  readonly kind: string;
  /** Why it does not take the turn. Undefined: it does. */
  readonly refusal?: {
    readonly reason: RefusalReason;
    readonly message: string;
    readonly details: RefusalDetails;
  };
  /** The keys of the only sessions that it can go on with once they have had a turn. Undefined: it can with all. */
  readonly remembered?: readonly string[];
}

/** What a principal may have on record. 0: there is no such limit. */
export interface RecordQuotas {
  readonly sessions: number;
  /** Of the attachments of all turns of the sessions on record, those of turns that are off it included. */
  readonly attachmentBytes: number;
}

/** Why no turn can begin now. */
export interface StartRefusal {
  readonly reason: RefusalReason;
  readonly message: string;
  /** Left out: it is worth trying again in a second. */
  readonly details?: RefusalDetails;
}

/** A turn to be recorded. */
export interface TurnStart {
  readonly turnId: string;
  readonly origin: TurnOrigin;
  /** Empty: unknown, or no turn causes it. */
  readonly causeTurnId: string;
  /** Of a caller's turn, who asks; of an agent's own, empty: whose session it is. */
  readonly principal: string;
  readonly prompt: string;
  /** As sent: empty for the session's. */
  readonly model: string;
  /** As sent: empty for the session's. */
  readonly agent: string;
  /** As sent: empty for the session's. */
  readonly sentAgentKind: string;
  /** Of a caller's turn, the kinds of agents that there are for it; of an agent's own, none is looked at. */
  readonly agents: readonly AgentStance[];
  /** As sent: empty for a new session. */
  readonly sentSessionId: string;
  /** Of a caller's turn in a session that is another principal's: its key. Empty: it is the caller's own, or to be. */
  readonly sessionKey: string;
  /** As it is to be: never unspecified. */
  readonly permissionMode: PermissionMode;
  /** As sent: unspecified for the server's default. */
  readonly sentPermissionMode: PermissionMode;
  readonly attachments: readonly AttachmentRecord[];
  /** What the attachments are compared by with those of an earlier request; empty where there are none. */
  readonly attachmentsDigest: string;
  /** Empty: the start is not idempotent. */
  readonly requestId: string;
  readonly time: number;
  /** A session that has so many turns on record takes no other. */
  readonly maxSessionTurns: number;
  /** What the session becomes if this turn opens it. Of an agent's own turn, the id is the key of the session that is there. */
  readonly newSession: Pick<
    SessionRecord,
    "sessionId" | "agentKind" | "agent" | "model" | "workspace" | "agentSessionId"
  >;
  /** Where the session works from now on if it moves here. Left out: it does not. */
  readonly workspaceIfMoved?: string;
  /** Why no new turn can be accepted now; a turn that exists is joined all the same. */
  readonly refusal?: StartRefusal;
  /** What the principal's turns may use on a day: a caller's turn is refused once so much is on record. Unset: no limit. */
  readonly dayLimits?: DayLimits;
  /** What the principal may have on record with this turn. Unset: no limit. */
  readonly quotas?: RecordQuotas;
  /** What goes on the audit chain with a turn that is new; the store adds the session's id. Left out: nothing. */
  readonly audit?: readonly AuditEntry[];
}

/** What became of a `TurnStart`. */
export interface StartedTurn {
  /** RUNNING, or QUEUED behind an agent's own turn. */
  readonly turn: TurnRecord;
  readonly session: SessionRecord;
  /** The turn was there before, started by the same `requestId`. */
  readonly joined: boolean;
  /** What the principal's turns that have ended have used on the day of the start. */
  readonly today: DaySpending;
}

/** Events of one turn to append, and what else is known of it by then. */
export interface EventBatch {
  readonly turnId: string;
  /** The sequence of the first event. */
  readonly firstSequence: number;
  /** Serialized `TurnEvent`s in order, each behind its length. */
  readonly events: readonly Uint8Array[];
  readonly time: number;
  /** The agent's id of the conversation, where it changed: from now on the session's, unless it is another session's. */
  readonly agentSessionId?: string;
  /** The turn's state from now on, where it changes and the turn does not end: RUNNING or AWAITING_APPROVAL. */
  readonly state?: TurnState;
  /** A request whose only event is the first of these: it is found by `findSteer` from now on. */
  readonly steer?: SteerRequest;
  /** Those of its events that somebody outside is to be told of: in the outbox with them, or not at all. Left out: none. */
  readonly notifications?: readonly Notification[];
  /** The events of these that ask for an approval or say how one was decided, in order. Undefined: none. */
  readonly approvals?: readonly ApprovalMark[];
  /** Set where the last event is terminal. */
  readonly end?: TurnEndRecord;
  /** What goes on the audit chain with them. Left out: nothing. */
  readonly audit?: readonly AuditEntry[];
}

/** Which event asks for an approval, or says how it was decided. */
export interface ApprovalMark {
  readonly sequence: number;
  readonly approvalId: string;
  readonly isRequest: boolean;
}

/** How a turn ended. */
export interface TurnEndRecord extends SpendingRecord {
  readonly state: TurnState;
  readonly errorReason: ErrorReason;
  readonly permissionDenialCount: number;
  /** How often it called the model. Unset: not once, or unknown. */
  readonly modelTurns?: number;
}

/** A message for a running turn, to be found again. */
export interface SteerRequest {
  readonly principal: string;
  readonly requestId: string;
  readonly message: string;
}
