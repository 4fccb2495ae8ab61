import type { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import type { RefusalDetails, RefusalReason } from "../errors.ts";
import type { Changes } from "./changes.ts";
import type { Commands } from "./commands.ts";
import type { Lease, Leases } from "./lease.ts";

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
  readonly principal: string;
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
  /** Why no new turn can be accepted now; a turn that exists is joined all the same. */
  readonly refusal?: { readonly reason: "TOO_MANY_TURNS" | "DRAINING"; readonly message: string };
}

/** What became of a `TurnStart`. */
export interface StartedTurn {
  /** RUNNING, or QUEUED behind an agent's own turn. */
  readonly turn: TurnRecord;
  readonly session: SessionRecord;
  /** The turn was there before, started by the same `requestId`. */
  readonly joined: boolean;
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
  /** Set where the last event is terminal. */
  readonly end?: TurnEndRecord;
}

/** How a turn ended. */
export interface TurnEndRecord extends SpendingRecord {
  readonly state: TurnState;
  readonly errorReason: ErrorReason;
  readonly permissionDenialCount: number;
}

/** A message for a running turn, to be found again. */
export interface SteerRequest {
  readonly principal: string;
  readonly requestId: string;
  readonly message: string;
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

/** A change of a session: a turn was recorded, or ended. */
export interface SessionChange {
  /** Its place among the session's changes: 1, 2, 3…, with gaps where turns are no longer on record. */
  readonly cursor: number;
  readonly kind: "started" | "ended";
  /** The turn as it is now, its prompt cut as in a list. */
  readonly turn: TurnRecord;
}

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

/** A part of a list, and how to ask for the next. */
export interface Page<T, K> {
  readonly items: readonly T[];
  /** The place after the last item; undefined: there are no more. */
  readonly next: K | undefined;
}

/** Which turns of a list are asked for. */
export interface TurnFilter {
  /** The states that they are in. Empty: any. */
  readonly states: readonly TurnState[];
  /** When they were recorded, at the earliest. Undefined: ever. */
  readonly since: number | undefined;
}

/** Whose turns somebody may see. */
export interface TurnView {
  /** Theirs are all seen. */
  readonly principal: string;
  /** Those in the mode ASK are seen whoever's they are. */
  readonly asApprover: boolean;
}

/** A turn's place in the list of all turns. */
export interface TurnPlace {
  readonly createTime: number;
  readonly turnId: string;
}

/** A session as it is listed, and the newest of its turns that are on record. */
export interface ListedSession extends SessionRecord {
  /** Undefined: it has none. The prompt is cut to 256 bytes. */
  readonly lastTurn: Pick<TurnRecord, "turnId" | "state" | "prompt"> | undefined;
}

/** A session's place in the list of its principal's sessions. */
export interface SessionPlace {
  readonly lastActiveTime: number;
  readonly sessionId: string;
}

/**
 * The log of all turns and the registry of sessions, as it was opened for one server.
 *
 * 1. A promise resolves only when what it stands for is on disk.
 * 2. Writes are done in the order in which they were asked for; a read sees every write that was asked for before it.
 * 3. It is opened under a lease of its own. That ends its owner's leases before, and a lease that has ended never holds again.
 * 4. What is written for a turn or a process carries the epoch of the lease under which that is done. Where the lease has ended
 *    it is refused with FENCED, and nothing of it is written, then or later.
 * 5. A turn's epoch is that of the lease under which it was recorded, and does not change. While that lease holds, nobody
 *    else writes for the turn; when it has ended, who asks for what its owner left ends it, and of several the first.
 * 6. A session is opened on the server that records its first turn, its home. Every other one is recorded there too, and
 *    what is asked of another server is refused with SESSION_ELSEWHERE and the `home`, the server's name.
 *
 * Every method rejects with a `Refusal`: STORAGE where the disk does not take a write or give a read, else as described.
 */
export interface Store extends StoreMethods {
  /** What it was opened under. */
  readonly lease: Lease;
  /** The news of what is recorded, also by other servers. */
  readonly changes: Changes;
  /** The way to turns that other servers run. */
  readonly commands: Commands;
}

/** What can be asked of a store. Where an `epoch` is asked for, 4. holds. */
export interface StoreMethods extends Leases {
  /**
   * Records a turn and, where there is none yet, its session; or finds the turn that the same request started. A session
   * that is opened in the workspace of a recorded process takes that process over. A caller's turn that meets an agent's
   * own is recorded as QUEUED, at most one in a session.
   *
   * Refuses, in this order: NOT_FOUND (the request's turn was deleted), REQUEST_ID_REUSED, SESSION_ELSEWHERE, `refusal`,
   * NOT_FOUND (the session is another principal's or, for an agent's own turn, gone), and but for an agent's own turn
   * AGENT_KIND_MISMATCH, AGENT_KIND_NOT_SERVED, what the session's kind of agent refuses by, UNSUPPORTED_BY_AGENT where it
   * cannot go on with the session, and SESSION_FULL; TURN_IN_PROGRESS with the `turn_id` of the turn that runs or waits.
   */
  createTurn(start: TurnStart, epoch: number): Promise<StartedTurn>;
  /** Records that a QUEUED turn runs from now on. The one before it has ended. */
  beginTurn(turnId: string, epoch: number): Promise<void>;
  /** Appends events to a turn that has not ended. FENCED too where another server has the turn, or has ended it. */
  append(batch: EventBatch, epoch: number): Promise<void>;
  /**
   * Makes a conversation a session's own, for as long as anything of the session is left; answers false, having done
   * nothing, where it is another's with an agent of that kind.
   */
  claimConversation(sessionKey: string, agentSessionId: string, epoch: number): Promise<boolean>;
  /**
   * The sequence of the event that an earlier request for the same turn with the same message became; undefined where there
   * was none. REQUEST_ID_REUSED where it was for something else; NOT_FOUND where its turn was deleted.
   */
  findSteer(turnId: string, request: SteerRequest): Promise<number | undefined>;
  /** Writes to disk what is there already: whoever asks learns whether the store takes writes. */
  checkWritable(epoch: number): Promise<void>;
  /** Records a process that is to be started. */
  recordProcess(process: LeftProcess, epoch: number): Promise<void>;
  /** Records that nothing is left of a process and what it started. Idempotent. */
  recordProcessGone(processId: string): Promise<void>;
  /**
   * The events after a sequence, as they were appended: as many as fit into about `maxBytes`, at least one if any. None of a
   * turn that is off the record.
   */
  readEvents(turnId: string, afterSequence: number, maxBytes: number): Promise<Uint8Array[]>;
  /**
   * NOT_FOUND where the turn does not exist or is another principal's.
   *
   * @param asApprover - A turn in the mode ASK is found whoever's it is.
   */
  getTurn(turnId: string, principal: string, asApprover?: boolean): Promise<TurnRecord>;
  /** A session's turns, newest first, from after a place. NOT_FOUND as `getSession`. */
  listTurns(
    sessionId: string,
    principal: string,
    pageSize: number,
    after: number | undefined,
    filter?: TurnFilter,
  ): Promise<Page<TurnRecord, number>>;
  /** The turns of all sessions that somebody may see, newest first by when they were recorded, from after a place. */
  listAllTurns(
    view: TurnView,
    filter: TurnFilter,
    pageSize: number,
    after: TurnPlace | undefined,
  ): Promise<Page<TurnRecord, TurnPlace>>;
  /** NOT_FOUND where the session does not exist or is another principal's. */
  getSession(sessionId: string, principal: string): Promise<ListedSession>;
  /** A principal's sessions, most recently active first, from after a place. */
  listSessions(
    principal: string,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Promise<Page<ListedSession, SessionPlace>>;
  /**
   * A session's changes after a cursor, at most about `limit`, in order. NOT_FOUND as `getSession`; OUT_OF_RANGE where the
   * session has had no such change.
   *
   * @param sessionKey - Only of that session: NOT_FOUND where another one has been opened under the id.
   */
  listChanges(
    sessionId: string,
    principal: string,
    afterCursor: number,
    limit: number,
    sessionKey?: string,
  ): Promise<SessionChange[]>;
  /**
   * Takes a session and its turns off the record: from now on nothing finds them, and another session may be opened under
   * the id. Its requests are refused for 24 h more. It is one of `listRemovals` until `recordRemoved`; what it has in the
   * store leaves with `removeSome`. NOT_FOUND as `getSession`; SESSION_ELSEWHERE where a lease of another home holds; else,
   * TURN_IN_PROGRESS.
   */
  deleteSession(
    sessionId: string,
    principal: string,
    time: number,
    epoch: number,
  ): Promise<RemovedSession>;
  /**
   * Takes turns that ended before a time off the record, the oldest first, at most `limit` of them: those of sessions that
   * are at home here, or where no lease holds. Where it took none, none is left. Sessions go with their last turn, as in
   * `deleteSession`.
   */
  removeEndedTurns(
    before: number,
    limit: number,
    time: number,
    epoch: number,
  ): Promise<RemovedTurns>;
  /**
   * Removes a piece of what is off the record and still in the store: so little that other turns do not wait long for it
   * (some milliseconds). Answers whether there is more.
   */
  removeSome(): Promise<boolean>;
  /** The removed sessions of a home, until their workspace and what the agent kept of them is recorded as removed too. */
  listRemovals(owner: string): Promise<RemovedSession[]>;
  /** Records that no file is left of the removed session that had this workspace. Idempotent. */
  recordRemoved(workspace: string): Promise<void>;
  /** The turns without a terminal event that a server left behind: those of its leases that have ended. */
  listLeftTurns(owner: string): Promise<LeftTurn[]>;
  /** The processes that a server may have left behind, likewise; of removed sessions too. */
  listLeftProcesses(owner: string): Promise<LeftProcess[]>;
  /** Commits what was asked for, ends its lease and closes. */
  close(): Promise<void>;
}
