import type { AuditEntry } from "../audit/entry.ts";
import type { AuditLink } from "../audit/record.ts";
import type { DaySpending } from "../day-spending.ts";
import type { Changes } from "./changes.ts";
import type { Commands } from "./commands.ts";
import type { Lease, Leases } from "./lease.ts";
import type { ListedSession, Page, SessionPlace, TurnFilter, TurnPlace } from "./lists.ts";
import type { Outbox } from "./outbox.ts";
import type {
  LeftProcess,
  LeftTurn,
  RemovedSession,
  RemovedTurns,
  SessionChange,
  TurnChanges,
  TurnRecord,
  WorkspacePlace,
} from "./records.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Transcripts } from "./transcripts.ts";
import type { Grantee, SessionName, SessionView, Share, TurnView } from "./views.ts";
import type { EventBatch, StartedTurn, SteerRequest, TurnStart } from "./writes.ts";

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
 * 6. A server's audit is one chain (docs/audit.md). The store gives entries their places in it in the commit that has what
 *    they are the record of: neither is ever there without the other.
 * 7. A session is opened on the server that records its first turn, its home. Every other one is recorded there too, and
 *    what is asked of another server is refused with SESSION_ELSEWHERE and the `home`, the server's name. It moves with a turn
 *    that is recorded elsewhere when its home holds no lease and has left no turn without an end in it, and by nothing else.
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

/** Where something is at home. */
export interface HomeRecord {
  /** The server's name. */
  readonly owner: string;
  /** What other servers reach it by. Empty: it cannot be reached. */
  readonly address: string;
  /** It holds a lease. */
  readonly isPresent: boolean;
}

/** What can be asked of a store. Where an `epoch` is asked for, 4. holds. */
export interface StoreMethods extends Leases, Outbox, Snapshots, Transcripts {
  /**
   * Records a turn and, where there is none yet, its session; or finds the turn that the same request started. A session
   * that is opened in the workspace of a recorded process takes that process over. A caller's turn that meets an agent's
   * own is recorded as QUEUED, at most one in a session.
   *
   * Refuses, in this order: NOT_FOUND (the request's turn was deleted), REQUEST_ID_REUSED, SESSION_ELSEWHERE, `refusal`,
   * NOT_FOUND (the session of a `sessionKey`, or of an agent's own turn, is gone), and but for an agent's own turn
   * SPENDING_LIMIT, QUOTA_EXCEEDED, AGENT_KIND_MISMATCH, AGENT_KIND_NOT_SERVED, what the session's kind of agent refuses by, UNSUPPORTED_BY_AGENT where it
   * cannot go on with the session, and SESSION_FULL; TURN_IN_PROGRESS with the `turn_id` of the turn that runs or waits.
   */
  createTurn(start: TurnStart, epoch: number): Promise<StartedTurn>;
  /** Records that what there was of a session that moved here has been brought. Nothing where it has moved on. */
  recordBrought(sessionKey: string, epoch: number): Promise<void>;
  /** Records that a QUEUED turn runs from now on. The one before it has ended. */
  beginTurn(turnId: string, epoch: number): Promise<void>;
  /** What a principal's turns that ended on the day of a time have used, those included that are off the record since. */
  getDaySpending(principal: string, time: number): Promise<DaySpending>;
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
  /**
   * Writes all that a turn writes and takes it back, and writes to disk what is there already: whoever asks learns whether the
   * store takes turns.
   *
   * @param audit - What goes on the audit chain with a start and an end. None: nothing does.
   */
  checkWritable(audit: readonly AuditEntry[], epoch: number): Promise<void>;
  /** Records a process that is to be started. */
  recordProcess(process: LeftProcess, epoch: number): Promise<void>;
  /** Records that nothing is left of a process and what it started. Idempotent. */
  recordProcessGone(processId: string): Promise<void>;
  /**
   * The events after a sequence, as they were appended: as many as fit into about `maxBytes`, at least one if any. None of a
   * turn that is off the record.
   */
  readEvents(turnId: string, afterSequence: number, maxBytes: number): Promise<Uint8Array[]>;
  /** NOT_FOUND where the turn does not exist or is not seen. */
  getTurn(turnId: string, view: TurnView): Promise<TurnRecord>;
  /** A session's turns, newest first, from after a place. NOT_FOUND as `getSession`. */
  listTurns(
    session: SessionName,
    view: SessionView,
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
  /** NOT_FOUND where the session does not exist or is not seen. */
  getSession(session: SessionName, view: SessionView): Promise<ListedSession>;
  /** The sessions that somebody may see, most recently active first, from after a place. */
  listSessions(
    view: SessionView,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Promise<Page<ListedSession, SessionPlace>>;
  /** The home of a session that is on record, whoever may see it. Undefined: there is none such. */
  homeOfSession(session: SessionName): Promise<HomeRecord | undefined>;
  /** The server that runs a turn without an end, or left it. Undefined: it has ended, or is not on record. */
  homeOfTurn(turnId: string): Promise<HomeRecord | undefined>;
  /** Where the sessions that are at home on a server work, in the order of their keys, from after a key. */
  listWorkspaces(home: string, limit: number, afterKey: string): Promise<WorkspacePlace[]>;
  /**
   * A session's changes after a cursor, at most about `limit`, in order. NOT_FOUND as `getSession`; OUT_OF_RANGE where the
   * session has had no such change.
   *
   * @param sessionKey - Only of that session: NOT_FOUND where another one has been opened under the id.
   */
  listChanges(
    session: SessionName,
    view: SessionView,
    afterCursor: number,
    limit: number,
    sessionKey?: string,
  ): Promise<SessionChange[]>;
  /**
   * The changes of all turns after a cursor, whoever may see them, at most about `limit`, in order. They go on record in the
   * commits of what they tell of. OUT_OF_RANGE where there has been no such change.
   */
  listTurnChanges(afterCursor: number, limit: number): Promise<TurnChanges>;
  /**
   * Likewise, those alone that say how things are now: the newest of each turn that has not ended, and each request of an
   * approval that is not decided.
   */
  listStandingChanges(afterCursor: number, limit: number): Promise<TurnChanges>;
  /**
   * Takes a session and its turns off the record: from now on nothing finds them, and another session may be opened under
   * the id. Its requests are refused for 24 h more. It is one of `listRemovals` until `recordRemoved`; what it has in the
   * store leaves with `removeSome`. NOT_FOUND where there is none of the name, or of the key; SESSION_ELSEWHERE where a lease
   * of another home holds; else, TURN_IN_PROGRESS.
   *
   * @param audit - What goes on the audit chain with it.
   */
  deleteSession(
    session: SessionName | string,
    time: number,
    epoch: number,
    audit?: readonly AuditEntry[],
  ): Promise<RemovedSession>;
  /** Whom a session is shared with. */
  listShares(sessionKey: string): Promise<Share[]>;
  /**
   * Shares a session, or changes the share with the same, of which `createTime` stays. NOT_FOUND where it is off the record;
   * SESSION_FULL where it is shared with `most` already. What stands in its turns is a change once more, of those with whom
   * it is shared now.
   *
   * @param audit - What goes on the audit chain with it.
   */
  shareSession(
    sessionKey: string,
    share: Share,
    most: number,
    epoch: number,
    audit?: readonly AuditEntry[],
  ): Promise<void>;
  /** Ends a share. Idempotent. NOT_FOUND as `shareSession`; `audit` likewise. */
  unshareSession(
    sessionKey: string,
    grantee: Grantee,
    epoch: number,
    audit?: readonly AuditEntry[],
  ): Promise<void>;
  /**
   * Takes turns that ended before a time off the record, the oldest first, at most `limit` of them: those of sessions that
   * are at home here, or where no lease holds. Where it took none, none is left. Sessions go with their last turn, as in
   * `deleteSession`.
   *
   * @param audit - What goes on the audit chain where it took any: the store adds how many, and the ids of sessions.
   */
  removeEndedTurns(
    before: number,
    limit: number,
    time: number,
    epoch: number,
    audit?: readonly AuditEntry[],
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
  /** Puts entries on the server's audit chain that are the record of nothing else in the store. */
  recordAudit(entries: readonly AuditEntry[], epoch: number): Promise<void>;
  /** The lines of a server's audit chain after a sequence: as many as fit into about `maxBytes`, at least one if any. */
  readAudit(owner: string, afterSequence: number, maxBytes: number): Promise<string[]>;
  /** The newest record of a server's audit chain. Undefined: it has none. */
  readAuditHead(owner: string): Promise<AuditLink | undefined>;
  /**
   * The last of the first records of a server's audit chain that are older than a time, up to where one is not: never the
   * newest, and never one that says that others were removed. So many are looked at as a commit can remove. Undefined: there
   * is none.
   */
  findAuditBefore(owner: string, time: number): Promise<AuditLink | undefined>;
  /** Removes the first records of the server's audit chain, up to one that is not the newest, and puts entries on it. */
  removeAudit(upTo: number, entries: readonly AuditEntry[], epoch: number): Promise<void>;
  /** Commits what was asked for, ends its lease and closes. */
  close(): Promise<void>;
}
