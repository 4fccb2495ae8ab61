import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { notFound, sessionElsewhere, storageFailed } from "../../errors.ts";
import { textOf } from "../common/grantee-text.ts";
import { pastSessionsLastChange } from "../common/session-changes.ts";
import type { SessionChange } from "../records.ts";
import type { HomeRecord, StoreMethods } from "../store.ts";
import { append, isOneInsert } from "./append.ts";
import type { FileLeases } from "./file-leases.ts";
import { Removal } from "./removal.ts";
import { describeSeen, seenSession, seenTurn } from "./seen.ts";
import { startTurn } from "./start-turn.ts";
import type { Tables } from "./tables.ts";
import { tryTurn } from "./trial.ts";

/** What the thread has of leases: it is told the time, by one clock for all. */
interface FileLeaseMethods {
  openLease(owner: string, address: string, until: number): Promise<number>;
  renewLease(epoch: number, until: number): Promise<void>;
  endLease(epoch: number): Promise<void>;
  fence(owner: string, epoch: number, now: number): Promise<boolean>;
  listAway(now: number): Promise<string[]>;
}

/** What can be asked of the store's thread: all that the store can do. */
export type FileMethods = Omit<StoreMethods, keyof FileLeaseMethods> & FileLeaseMethods;

export type MethodName = keyof FileMethods;

/** A method of the store as its thread does it, synchronously. */
export interface Method<Args extends readonly unknown[] = readonly unknown[], Result = unknown> {
  /** A write shares a transaction with others that came with it; a read comes behind them, outside of it. */
  readonly kind: "read" | "write";
  perform(...args: Args): Result;
  /** About how many bytes a call writes, where that may be many. */
  bytes?(...args: Args): number;
  /** Whether all that a call writes is one statement. Left out: it may be several. */
  isOneStatement?(...args: Args): boolean;
}

/** What a method answers; an append also in which session a turn has ended, if that was its end. */
export type Answered<Name extends MethodName> = Name extends "append"
  ? string | undefined
  : Awaited<ReturnType<FileMethods[Name]>>;

/** Each method of the store: one that is missing, or takes or answers something else, does not compile. */
export type Methods = {
  readonly [Name in MethodName]: Method<Parameters<FileMethods[Name]>, Answered<Name>>;
};

/** The methods of the store on the tables of a connection. */
export function createMethods(
  tables: Tables,
  leases: FileLeases,
  { undone, close }: { undone(work: () => void): void; close(): void },
): Methods {
  return {
    ...turnMethods(tables, leases, undone),
    ...readMethods(tables, leases),
    ...leftMethods(tables, leases),
    ...leaseMethods(tables, leases),
    ...outboxMethods(tables),
    ...auditMethods(tables, leases),
    ...transcriptMethods(tables, leases),
    ...snapshotMethods(tables, leases),
    close: read(close),
  };
}

/** What goes on record for a turn, under a lease. */
function turnMethods(tables: Tables, leases: FileLeases, undone: (work: () => void) => void) {
  const { conversations, processes } = tables;
  const owned = ownedBy(leases);
  return {
    createTurn: {
      ...owned((start, epoch) => startTurn(tables, start, epoch, leases)),
      bytes: ({ prompt }) => prompt.length,
    },
    recordBrought: owned((sessionKey, epoch) =>
      tables.sessions.recordBrought(sessionKey, leases.ownerOf(epoch)),
    ),
    beginTurn: owned((turnId, epoch) => beginTurn(tables, turnId, epoch, leases)),
    append: {
      ...owned((batch, epoch) => append(tables, batch, epoch, leases)),
      bytes: (batch) => batch.events.reduce((sum, event) => sum + event.length, 0),
      isOneStatement: isOneInsert,
    },
    claimConversation: owned((key, agentSessionId) => conversations.claim(key, agentSessionId)),
    recordProcess: owned((process, epoch) =>
      processes.record(process, epoch, leases.ownerOf(epoch)),
    ),
    checkWritable: owned((audit, epoch) => {
      undone(() => tryTurn(tables, audit, epoch, leases));
      leases.rewrite();
    }),
    recordProcessGone: write((processId) => processes.recordGone(processId)),
  } satisfies Partial<Methods>;
}

/** What callers read. */
function readMethods(tables: Tables, leases: FileLeases) {
  const { sessions, turns, turnLists, turnChangeLists, requests, days, shares } = tables;
  return {
    getDaySpending: read((...args) => days.get(...args)),
    findSteer: read((...args) => requests.findSteer(...args)),
    readEvents: read((...args) => readEvents(tables, ...args)),
    getTurn: read((...args) => seenTurn(tables, ...args)),
    listTurns: read((session, view, ...page) =>
      turnLists.ofSession(seenSession(tables, session, view), ...page),
    ),
    listAllTurns: read((...args) => turnLists.ofAll(...args)),
    getSession: read((...args) => describeSeen(tables, ...args)),
    listSessions: read((...args) => sessions.list(...args)),
    homeOfSession: read((name) => homeOf(leases, sessions.find(name)?.home)),
    homeOfTurn: read((turnId) => homeOf(leases, turns.homeOfUnended(turnId))),
    listWorkspaces: read((...args) => sessions.listWorkspaces(...args)),
    listChanges: read((...args) => listChanges(tables, ...args)),
    listTurnChanges: read((...args) => turnChangeLists.all(...args)),
    listStandingChanges: read((...args) => turnChangeLists.standing(...args)),
    listShares: read((sessionKey) => shares.list(sessionKey)),
  } satisfies Partial<Methods>;
}

/** What is to be removed, and what servers left. */
function leftMethods(tables: Tables, leases: FileLeases) {
  const removal = new Removal(tables, leases);
  const isEnded = (epoch: number) => !leases.holds(epoch);
  return {
    deleteSession: write((session, time, epoch, audit) => {
      leases.ownerOf(epoch);
      return removal.deleteSession(session, time, epoch, audit);
    }),
    shareSession: write((sessionKey, share, most, epoch, audit) => {
      tables.audit.append(leases.ownerOf(epoch), audit);
      const isNew = tables.shares.add(onRecord(tables, sessionKey), share, most);
      if (isNew) tables.turnChanges.retell(sessionKey, textOf(share.grantee));
    }),
    unshareSession: write((sessionKey, grantee, epoch, audit) => {
      tables.audit.append(leases.ownerOf(epoch), audit);
      tables.shares.remove(onRecord(tables, sessionKey), grantee);
    }),
    removeEndedTurns: write((before, limit, time, epoch, audit) => {
      leases.ownerOf(epoch);
      return removal.removeEndedTurns(before, limit, time, epoch, audit);
    }),
    removeSome: write(() => removal.removeSome()),
    listRemovals: read((owner) => removal.list(owner)),
    recordRemoved: write((workspace) => removal.recordFilesRemoved(workspace)),
    listLeftTurns: read((owner) => tables.turns.listLeft(owner, isEnded)),
    listLeftProcesses: read((owner) => tables.processes.listLeft(owner, isEnded)),
  } satisfies Partial<Methods>;
}

/** What is yet to be told outside. It is written by `append`. */
function outboxMethods({ outbox }: Tables) {
  return {
    listUntold: read((...args) => outbox.list(...args)),
    recordTold: write((key) => outbox.remove(key)),
    recordUntold: write((key, dueTime) => outbox.postpone(key, dueTime)),
    giveUpUntold: write((...args) => outbox.giveUp(...args)),
  } satisfies Partial<Methods>;
}

/** In memory: a server opens its store on a full disk too. All writes that were asked for before are done by then. */
function leaseMethods(tables: Tables, leases: FileLeases) {
  return {
    openLease: read((...args) => leases.open(...args)),
    renewLease: read((...args) => leases.renew(...args)),
    endLease: read((epoch) => leases.end(epoch)),
    fence: read((...args) => leases.fence(...args)),
    listAway: read((now) => listAway(tables, leases, now)),
  } satisfies Partial<Methods>;
}

/** The record of who did what, one chain a server. */
function auditMethods({ audit }: Tables, leases: FileLeases) {
  const owned = ownedBy(leases);
  return {
    recordAudit: owned((entries, epoch) => audit.append(leases.ownerOf(epoch), entries)),
    removeAudit: owned((upTo, entries, epoch) => {
      audit.removeUpTo(leases.ownerOf(epoch), upTo);
      audit.append(leases.ownerOf(epoch), entries);
    }),
    readAudit: read((...args) => audit.read(...args)),
    readAuditHead: read((owner) => audit.head(owner)),
    findAuditBefore: read((...args) => audit.findBefore(...args)),
  } satisfies Partial<Methods>;
}

/** What agents keep of conversations. */
function transcriptMethods(tables: Tables, leases: FileLeases) {
  const { transcripts } = tables;
  const atHome = homeCheck(tables, leases);
  const owned = ownedBy(leases);
  return {
    findTranscript: read((sessionKey) => transcripts.find(sessionKey)),
    readSegments: read((...args) => transcripts.readSegments(...args)),
    recordSegment: {
      ...owned((segment, epoch) => {
        atHome(segment.sessionKey, epoch);
        transcripts.recordSegment(segment);
      }),
      bytes: ({ bytes }) => bytes.length,
    },
    recordTranscript: owned((transcript, epoch) => {
      atHome(transcript.sessionKey, epoch);
      transcripts.record(transcript);
    }),
    removeReplaced: owned((sessionKey, epoch) => {
      atHome(sessionKey, epoch);
      return transcripts.removeReplaced(sessionKey);
    }),
    listUnkept: read((...args) => transcripts.listUnkept(...args)),
  } satisfies Partial<Methods>;
}

/** Which snapshots of workspaces count. */
function snapshotMethods(tables: Tables, leases: FileLeases) {
  const { sessions } = tables;
  const atHome = homeCheck(tables, leases);
  const owned = ownedBy(leases);
  return {
    findSnapshot: read((sessionKey) => sessions.findSnapshot(sessionKey)),
    recordSnapshot: owned((sessionKey, snapshot, epoch) => {
      atHome(sessionKey, epoch);
      sessions.setSnapshot(sessionKey, snapshot);
    }),
  } satisfies Partial<Methods>;
}

/** Refuses what is written for a session that is off the record, or at home with another than the lease's owner. */
function homeCheck(tables: Tables, leases: FileLeases) {
  return (sessionKey: string, epoch: number): void => {
    const home = tables.sessions.findByKey(onRecord(tables, sessionKey))?.home ?? "";
    if (home !== leases.ownerOf(epoch)) throw sessionElsewhere(home);
  };
}

/** Makes writes that carry the epoch of a lease, their last argument. */
function ownedBy(leases: FileLeases) {
  return <Args extends readonly unknown[], Result>(
    perform: (...args: [...Args, epoch: number]) => Result,
  ) =>
    write((...args: [...Args, epoch: number]) => {
      leases.ownerOf(args.at(-1) as number);
      return perform(...args);
    });
}

function read<Args extends readonly unknown[], Result>(perform: (...args: Args) => Result) {
  return { kind: "read", perform } as const;
}

function write<Args extends readonly unknown[], Result>(perform: (...args: Args) => Result) {
  return { kind: "write", perform } as const;
}

function beginTurn(
  { sessions, turns, turnChanges }: Tables,
  turnId: string,
  epoch: number,
  leases: FileLeases,
): void {
  const { turnKey, ...turn } = turns.getAppended(turnId);
  leases.checkTurn(turn.epoch, epoch);
  const sessionKey = turns.begin(turnId);
  if (sessionKey === undefined) throw storageFailed("the turn is not one that waits");
  sessions.beginQueued(sessionKey);
  turnChanges.addState(turnKey, "changed", TurnState.RUNNING);
}

function readEvents(
  { turns, events }: Tables,
  ...[turnId, afterSequence, maxBytes]: Parameters<StoreMethods["readEvents"]>
): Uint8Array[] {
  const turnKey = turns.findKey(turnId);
  return turnKey === undefined ? [] : events.read(turnKey, afterSequence, maxBytes);
}

function listChanges(
  tables: Tables,
  ...[name, view, afterCursor, limit, ofKey]: Parameters<StoreMethods["listChanges"]>
): SessionChange[] {
  const session = seenSession(tables, name, view);
  if (ofKey !== undefined && ofKey !== session.sessionKey) throw notFound("session");
  if (afterCursor > session.changeCount) throw pastSessionsLastChange(session.changeCount);
  return tables.turnLists.changesOf(session, afterCursor, limit);
}

function homeOf(leases: FileLeases, owner: string | undefined): HomeRecord | undefined {
  return owner === undefined ? undefined : leases.homeOf(owner);
}

/** The key of a session that is on record. */
function onRecord({ sessions }: Tables, sessionKey: string): string {
  if (sessions.findByKey(sessionKey) === undefined) throw notFound("session");
  return sessionKey;
}

function listAway({ turns }: Tables, leases: FileLeases, now: number): string[] {
  const left = turns.listUnendedHomes().filter((owner) => !leases.isHeldBy(owner));
  return [...new Set([...leases.ranOut(now), ...left])];
}
