import type { AuditEntry } from "../../src/audit/entry.ts";
import type {
  LeftProcess,
  LeftTurn,
  RemovedSession,
  RemovedTurns,
} from "../../src/store/records.ts";
import type { Store } from "../../src/store/store.ts";
import type { Transcript, TranscriptSegment } from "../../src/store/transcripts.ts";
import {
  type Grantee,
  ownView,
  type SessionName,
  type SessionView,
  type Share,
  type TurnView,
} from "../../src/store/views.ts";
import type { EventBatch, TurnStart } from "../../src/store/writes.ts";

/** A store as it is used by the server that it was opened for: under its lease, unless told otherwise. */
export type OwnedStore = Omit<Store, keyof OwnCalls> & OwnCalls;

/** Whose eyes something is seen by: a principal's name, where that is all that there is to say of them. */
type Who = string | SessionView;

/** By its id alone: of who asks. */
type Named = string | SessionName;

/** What a method takes behind its first arguments. */
type After<M extends (...args: never[]) => unknown, N extends 1 | 2> = N extends 1
  ? Parameters<M> extends [unknown, ...infer Rest]
    ? Rest
    : never
  : Parameters<M> extends [unknown, unknown, ...infer Rest]
    ? Rest
    : never;

interface OwnCalls {
  createTurn(start: TurnStart, epoch?: number): ReturnType<Store["createTurn"]>;
  beginTurn(turnId: string, epoch?: number): Promise<void>;
  append(batch: EventBatch, epoch?: number): Promise<void>;
  claimConversation(sessionKey: string, agentSessionId: string, epoch?: number): Promise<boolean>;
  recordProcess(process: LeftProcess, epoch?: number): Promise<void>;
  fence(owner: string, epoch?: number): Promise<boolean>;
  deleteSession(
    session: SessionName | string,
    time: number,
    epoch?: number,
    audit?: readonly AuditEntry[],
  ): Promise<RemovedSession>;
  shareSession(sessionKey: string, share: Share, most?: number, epoch?: number): Promise<void>;
  unshareSession(sessionKey: string, grantee: Grantee, epoch?: number): Promise<void>;
  deleteNamed(
    session: Named,
    who: Who,
    time: number,
    epoch?: number,
    audit?: readonly AuditEntry[],
  ): Promise<RemovedSession>;
  getTurn(turnId: string, who: Who): ReturnType<Store["getTurn"]>;
  getSession(session: Named, who: Who): ReturnType<Store["getSession"]>;
  listSessions(
    who: Who,
    ...page: After<Store["listSessions"], 1>
  ): ReturnType<Store["listSessions"]>;
  listTurns(
    session: Named,
    who: Who,
    ...page: After<Store["listTurns"], 2>
  ): ReturnType<Store["listTurns"]>;
  listChanges(
    session: Named,
    who: Who,
    ...page: After<Store["listChanges"], 2>
  ): ReturnType<Store["listChanges"]>;
  removeEndedTurns(
    before: number,
    limit: number,
    time: number,
    epoch?: number,
    audit?: readonly AuditEntry[],
  ): Promise<RemovedTurns>;
  recordSegment(segment: TranscriptSegment, epoch?: number): Promise<void>;
  recordTranscript(transcript: Transcript, epoch?: number): Promise<void>;
  removeReplaced(sessionKey: string, epoch?: number): Promise<boolean>;
  listRemovals(owner?: string): Promise<RemovedSession[]>;
  listLeftTurns(owner?: string): Promise<LeftTurn[]>;
  listLeftProcesses(owner?: string): Promise<LeftProcess[]>;
}

export function owned(store: Store): OwnedStore {
  const { owner: me, epoch: own } = store.lease;
  const calls: OwnCalls = {
    createTurn: (start, epoch = own) => store.createTurn(start, epoch),
    beginTurn: (turnId, epoch = own) => store.beginTurn(turnId, epoch),
    append: (batch, epoch = own) => store.append(batch, epoch),
    claimConversation: (key, id, epoch = own) => store.claimConversation(key, id, epoch),
    recordProcess: (process, epoch = own) => store.recordProcess(process, epoch),
    fence: (owner, epoch = own) => store.fence(owner, epoch),
    deleteSession: (key, time, epoch = own, audit) => store.deleteSession(key, time, epoch, audit),
    shareSession: (key, share, most = 100, epoch = own) =>
      store.shareSession(key, share, most, epoch),
    unshareSession: (key, grantee, epoch = own) => store.unshareSession(key, grantee, epoch),
    deleteNamed: (session, who, time, epoch = own, audit) =>
      store.deleteSession(nameOf(session, who), time, epoch, audit),
    getTurn: (turnId, who) => store.getTurn(turnId, viewOf(who)),
    getSession: (session, who) => store.getSession(nameOf(session, who), viewOf(who)),
    listSessions: (who, ...page) => store.listSessions(viewOf(who), ...page),
    listTurns: (id, who, ...page) => store.listTurns(nameOf(id, who), viewOf(who), ...page),
    listChanges: (id, who, ...page) => store.listChanges(nameOf(id, who), viewOf(who), ...page),
    removeEndedTurns: (before, limit, time, epoch = own, audit) =>
      store.removeEndedTurns(before, limit, time, epoch, audit),
    recordSegment: (segment, epoch = own) => store.recordSegment(segment, epoch),
    recordTranscript: (transcript, epoch = own) => store.recordTranscript(transcript, epoch),
    removeReplaced: (sessionKey, epoch = own) => store.removeReplaced(sessionKey, epoch),
    listRemovals: (owner = me) => store.listRemovals(owner),
    listLeftTurns: (owner = me) => store.listLeftTurns(owner),
    listLeftProcesses: (owner = me) => store.listLeftProcesses(owner),
  };
  return { ...store, ...calls };
}

function viewOf(who: Who): TurnView {
  return typeof who === "string" ? ownView(who) : { ...ownView(who.principal), ...who };
}

function nameOf(session: Named, who: Who): SessionName {
  if (typeof session !== "string") return session;
  return { principal: viewOf(who).principal, sessionId: session };
}
