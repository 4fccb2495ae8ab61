import type { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";

/** A session as it is kept. Times are milliseconds since the epoch. */
export interface SessionRecord {
  readonly sessionId: string;
  readonly principal: string;
  readonly agent: string;
  readonly model: string;
  readonly createTime: number;
  readonly lastActiveTime: number;
  /** Empty: none runs. */
  readonly runningTurnId: string;
  readonly turnCount: number;
  /** Where the session's agent works. */
  readonly workspace: string;
  /** The agent's own id of the conversation. */
  readonly agentSessionId: string;
}

/** A turn as it is kept. Times are milliseconds since the epoch. */
export interface TurnRecord {
  readonly turnId: string;
  readonly sessionId: string;
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
  /** Undefined: the turn runs. */
  readonly endTime: number | undefined;
}

/** A turn to be recorded. */
export interface TurnStart {
  readonly turnId: string;
  readonly processId: string;
  readonly principal: string;
  readonly prompt: string;
  /** As sent: empty for the session's. */
  readonly model: string;
  /** As sent: empty for the session's. */
  readonly agent: string;
  /** As sent: empty for a new session. */
  readonly sentSessionId: string;
  /** Empty: the start is not idempotent. */
  readonly requestId: string;
  readonly time: number;
  /** A session that has so many turns on record takes no other. */
  readonly maxSessionTurns: number;
  /** What the session becomes if this turn opens it. */
  readonly newSession: Pick<
    SessionRecord,
    "sessionId" | "agent" | "model" | "workspace" | "agentSessionId"
  >;
  /** Why no new turn can be accepted now; a turn that exists is joined all the same. */
  readonly refusal?: { readonly reason: "TOO_MANY_TURNS" | "DRAINING"; readonly message: string };
}

/** What became of a `TurnStart`. */
export interface StartedTurn {
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
  /** The agent's id of the conversation, where it changed. */
  readonly agentSessionId?: string;
  /** Set where the last event is terminal. */
  readonly end?: { readonly state: TurnState; readonly errorReason: ErrorReason };
}

/** A turn that a server left behind: it was running, or its processes were not known to be gone. */
export interface LeftTurn {
  readonly turnId: string;
  readonly sessionId: string;
  readonly processId: string;
  readonly lastSequence: number;
  readonly running: boolean;
}

/** A session that is no longer on record, while what it left outside the store may still be there. */
export type RemovedSession = Pick<SessionRecord, "sessionId" | "workspace" | "agentSessionId">;

/** What a call of `removeEndedTurns` removed. */
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

/** A session's place in the list of its principal's sessions. */
export interface SessionPlace {
  readonly lastActiveTime: number;
  readonly sessionId: string;
}

/**
 * The log of all turns and the registry of sessions.
 *
 * 1. A promise resolves only when what it stands for is on disk.
 * 2. Writes are done in the order in which they were asked for; a read sees every write that was asked for before it.
 * 3. It is the only owner of what it keeps: a second one on the same place is refused when it opens.
 *
 * Every method rejects with a `Refusal`: STORAGE where the disk does not take a write or give a read, else as described.
 */
export interface Store {
  /**
   * Records a turn and, where there is none yet, its session; or finds the turn that the same request started.
   *
   * Refuses, in this order: NOT_FOUND (the request's turn was deleted), REQUEST_ID_REUSED, `refusal`, NOT_FOUND (the
   * session is another principal's), SESSION_FULL, TURN_IN_PROGRESS.
   */
  createTurn(start: TurnStart): Promise<StartedTurn>;
  /** Appends events to a running turn. */
  append(batch: EventBatch): Promise<void>;
  /** Records that no process of the turn is left. */
  recordProcessesGone(turnId: string): Promise<void>;
  /** The events after a sequence, as they were appended: as many as fit into about `maxBytes`, at least one if any. */
  readEvents(turnId: string, afterSequence: number, maxBytes: number): Promise<Uint8Array[]>;
  /** NOT_FOUND where the turn does not exist or is another principal's. */
  getTurn(turnId: string, principal: string): Promise<TurnRecord>;
  /** A session's turns, newest first, from after a place. NOT_FOUND as `getSession`. */
  listTurns(
    sessionId: string,
    principal: string,
    pageSize: number,
    after: number | undefined,
  ): Promise<Page<TurnRecord, number>>;
  /** NOT_FOUND where the session does not exist or is another principal's. */
  getSession(sessionId: string, principal: string): Promise<SessionRecord>;
  /** A principal's sessions, most recently active first, from after a place. */
  listSessions(
    principal: string,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Promise<Page<SessionRecord, SessionPlace>>;
  /**
   * Removes a session with its turns and answers what it was. Its requests are refused for 24 h more. It is one of
   * `listRemovals` until `recordRemoved`. NOT_FOUND as `getSession`; TURN_IN_PROGRESS.
   */
  deleteSession(sessionId: string, principal: string, time: number): Promise<SessionRecord>;
  /**
   * Removes turns that ended before a time, the oldest first: at most `limit` of them, and fewer where they have many
   * events, so that other turns do not wait long for it. Where it removed none, none is left. A turn whose processes are
   * not known to be gone stays. Sessions go with their last turn, as in `deleteSession`.
   */
  removeEndedTurns(before: number, limit: number, time: number): Promise<RemovedTurns>;
  /** Sessions that were removed, until their workspace and what the agent kept of them is recorded as removed too. */
  listRemovals(): Promise<RemovedSession[]>;
  /** Records that nothing is left of the removed session that had this workspace. Idempotent. */
  recordRemoved(workspace: string): Promise<void>;
  /** What a server before this one left behind; of removed sessions too. */
  listLeftTurns(): Promise<LeftTurn[]>;
  /** Commits what was asked for and closes. */
  close(): Promise<void>;
}
