import type { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import type { Grantee, SeenTurn } from "./views.ts";

/** What was used, as far as an agent has told. */
export interface SpendingRecord {
  /** Undefined: unknown. */
  readonly usage:
    | {
        readonly inputTokens: bigint;
        readonly outputTokens: bigint;
        readonly cacheReadInputTokens: bigint;
        readonly cacheCreationInputTokens: bigint;
      }
    | undefined;
  /** In US dollars. 0: nothing, or unknown. */
  readonly totalCostUsd: number;
}

/** A file that was sent with a prompt, without its bytes. */
export interface AttachmentRecord {
  readonly name: string;
  readonly mediaType: string;
  /** In bytes. */
  readonly size: number;
}

/** A session as it is kept. Times are milliseconds since the epoch. */
export interface SessionRecord extends SpendingRecord {
  /** As its principal knows it: two principals may each have a session of the same id. */
  readonly sessionId: string;
  /** What tells it from all other sessions, of other principals and those that are or were removed. Never shown. */
  readonly sessionKey: string;
  readonly principal: string;
  /** The kind of the agent, for good. */
  readonly agentKind: string;
  readonly agent: string;
  readonly model: string;
  readonly createTime: number;
  readonly lastActiveTime: number;
  /** Empty: none runs. */
  readonly runningTurnId: string;
  /** The turn that waits for the running one, an agent's own, to end. Empty: none waits. */
  readonly queuedTurnId: string;
  readonly turnCount: number;
  /** How many changes it has had: the newest one's cursor. */
  readonly changeCount: number;
  /** Where the session's agent works, on its home. */
  readonly workspace: string;
  /** The server, by its name, that has the workspace and the processes: its turns are run there. */
  readonly home: string;
  /** It was at home on another server, and it is not on record that what there was of it has been brought here. */
  readonly isMoved: boolean;
  /** The agent's own id of the conversation, which no other session of its kind has or had. Empty: it has given none yet. */
  readonly agentSessionId: string;
}

/** A turn as it is kept. Times are milliseconds since the epoch. */
export interface TurnRecord extends SpendingRecord {
  readonly turnId: string;
  readonly sessionId: string;
  /** The session's, as in `SessionRecord`. */
  readonly sessionKey: string;
  readonly state: TurnState;
  readonly errorReason: ErrorReason;
  readonly prompt: string;
  /** `prompt` is not whole. */
  readonly promptTruncated: boolean;
  /** Who runs it. */
  readonly principal: string;
  /** Whose session it is in. */
  readonly sessionPrincipal: string;
  readonly model: string;
  readonly agent: string;
  readonly lastSequence: number;
  readonly createTime: number;
  /** Undefined: the turn has not ended. */
  readonly endTime: number | undefined;
  readonly origin: TurnOrigin;
  /** Empty: unknown, or no turn caused it. */
  readonly causeTurnId: string;
  readonly permissionMode: PermissionMode;
  readonly permissionDenialCount: number;
  readonly attachments: readonly AttachmentRecord[];
  /** Of the lease under which it was recorded. */
  readonly epoch: number;
}

/** A change of a session: a turn was recorded, or ended. */
export interface SessionChange {
  /** Its place among the session's changes: 1, 2, 3…, with gaps where turns are no longer on record. */
  readonly cursor: number;
  readonly kind: "started" | "ended";
  /** The turn as it is now, its prompt cut as in a list. */
  readonly turn: TurnRecord;
}

/** What happened to a turn. */
export type TurnChangeKind =
  | "started"
  | "changed"
  | "ended"
  | "approvalRequested"
  | "approvalResolved";

/** A change of any turn: of its state, or of what waits for an approval in it. */
export interface TurnChange extends Pick<SeenTurn, "seenBy"> {
  /** Its place among the changes of all turns: 2, 3, 4…, with gaps where turns are no longer on record. */
  readonly cursor: number;
  readonly kind: TurnChangeKind;
  /** In the state that it came into, or was in, then; the rest of it as it is now, its prompt cut as in a list. */
  readonly turn: TurnRecord;
  /** The states that it had been in by then, that one included. */
  readonly pastStates: readonly TurnState[];
  /** Of an approval: the event that asks for it, or says how it was decided, as it was appended. */
  readonly event: Uint8Array | undefined;
  /** It was told before, and is told once more to whom its session is shared with since. Undefined: it is told to all. */
  readonly retoldTo: Grantee | undefined;
}

/** Up to where changes of turns that are off the record were. */
export interface RemovedChanges extends SeenTurn {
  readonly cursor: number;
}

/** Changes of all turns after a cursor, in order. */
export interface TurnChanges {
  readonly changes: readonly TurnChange[];
  /** All that there are up to here were told: `newest` where there are no more. */
  readonly cursor: number;
  /** The newest change that there ever was. 1: there was none, which is no beginning: who has heard of none comes back from there. */
  readonly newest: number;
  /** What was removed after the cursor that was asked for: whoever might have seen that misses something. */
  readonly removed: readonly RemovedChanges[];
}

/** A turn without a terminal event that a server left behind: it was running, or waited to. */
export interface LeftTurn {
  readonly turnId: string;
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly lastSequence: number;
  /**
   * The highest sequence that is known to have been given, where the events up to it are no longer there: the store lost
   * them to damage. Its end comes behind it, so that no two events are ever told under one.
   */
  readonly lostUpTo?: number;
  /** It had not begun: nothing of it was run. */
  readonly wasQueued: boolean;
}

/** An agent's process that may still live. */
export interface LeftProcess {
  readonly processId: string;
  /** The key of its session. Empty: it waited for a session that was to be opened. */
  readonly sessionKey: string;
  /** The workspace that it works in. */
  readonly workspace: string;
}

/** Where a session that is on record works. */
export type WorkspacePlace = Pick<
  SessionRecord,
  "sessionId" | "sessionKey" | "principal" | "workspace"
>;

/** A session that is no longer on record, while what it left outside the store may still be there. */
export interface RemovedSession
  extends Pick<SessionRecord, "sessionId" | "sessionKey" | "agentKind" | "workspace" | "home"> {
  /** Every id of a conversation that was ever the session's own. */
  readonly agentSessionIds: readonly string[];
}

/** What a call of `removeEndedTurns` took off the record. */
export interface RemovedTurns {
  /** How many turns. */
  readonly turns: number;
  /** The sessions that have no turn any more, and are gone with their last one. */
  readonly sessions: readonly RemovedSession[];
}
