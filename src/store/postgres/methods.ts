import { randomUUIDv7 } from "node:crypto";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import type { AuditEntry } from "../../audit/entry.ts";
import { notFound, sessionElsewhere, storageFailed } from "../../errors.ts";
import { textOf } from "../common/grantee-text.ts";
import { pastSessionsLastChange } from "../common/session-changes.ts";
import type { SessionChange } from "../records.ts";
import { END, startOf } from "../sqlite/trial.ts";
import type { StoreMethods } from "../store.ts";
import { append } from "./append.ts";
import { Removal } from "./removal.ts";
import { describeSeen, seenSession, seenTurn } from "./seen.ts";
import { startTurn } from "./start-turn.ts";
import type { Tables } from "./tables.ts";

/** What the database has of leases: how long they are to hold is said with each. */
interface LeaseMethods {
  openLease(owner: string, address: string, ms: number | undefined): Promise<number>;
  renewLease(epoch: number, ms: number | undefined): Promise<void>;
  endLease(epoch: number): Promise<void>;
  listAway(): Promise<string[]>;
}

/** What can be asked of the database: all that the store can do. */
export type DatabaseMethods = Omit<StoreMethods, keyof LeaseMethods | "close"> & LeaseMethods;

export type MethodName = keyof DatabaseMethods;

/** What a method answers; an append also in which session a turn has ended, if that was its end. */
export type Answered<Name extends MethodName> = Name extends "append"
  ? string | undefined
  : Awaited<ReturnType<DatabaseMethods[Name]>>;

/** A method of the store as it is done on the tables of a connection. */
export interface Method<Args extends readonly unknown[] = readonly unknown[], Result = unknown> {
  /** A write shares a transaction with others that came with it; a read comes behind them, on a connection of its own. */
  readonly kind: "read" | "write";
  perform(tables: Tables, ...args: Args): Promise<Result>;
}

/** Each method of the store: one that is missing, or takes or answers something else, does not compile. */
type Methods = {
  readonly [Name in MethodName]: Method<Parameters<DatabaseMethods[Name]>, Answered<Name>>;
};

/** What goes on record for a turn, under a lease. */
const TURN_METHODS = {
  createTurn: write((tables, start, epoch) => startTurn(tables, start, epoch)),
  recordBrought: write(async ({ leases, sessions }, sessionKey, epoch) =>
    sessions.recordBrought(sessionKey, await leases.hold(epoch)),
  ),
  beginTurn: write((tables, turnId, epoch) => beginTurn(tables, turnId, epoch)),
  append: write((tables, batch, epoch) => append(tables, batch, epoch)),
  claimConversation: write(async ({ leases, conversations }, key, agentSessionId, epoch) => {
    await leases.hold(epoch);
    return conversations.claim(key, agentSessionId);
  }),
  recordProcess: write(async ({ leases, processes }, process, epoch) =>
    processes.record(process, epoch, await leases.hold(epoch)),
  ),
  // Each commit of more than events writes a row: see `markSql`.
  checkWritable: write(async (tables, audit, epoch) => {
    await tables.leases.hold(epoch);
    await tables.undone(() => tryTurn(tables, audit, epoch));
  }),
  recordProcessGone: write(({ processes }, processId) => processes.recordGone(processId)),
} satisfies Partial<Methods>;

/** What callers read. */
const READ_METHODS = {
  getDaySpending: read(({ days }, ...args) => days.get(...args)),
  findSteer: read(({ requests }, ...args) => requests.findSteer(...args)),
  readEvents: read(async ({ turns, events }, turnId, ...args) =>
    (await turns.isOnRecord(turnId)) ? events.read(turnId, ...args) : [],
  ),
  getTurn: read((tables, ...args) => seenTurn(tables, ...args)),
  listTurns: read(async (tables, session, view, ...page) =>
    tables.turnLists.ofSession(await seenSession(tables, session, view), ...page),
  ),
  listAllTurns: read(({ turnLists }, ...args) => turnLists.ofAll(...args)),
  getSession: read((tables, ...args) => describeSeen(tables, ...args)),
  listSessions: read(({ sessionLists }, ...args) => sessionLists.list(...args)),
  homeOfSession: read(({ homes }, session) => homes.ofSession(session)),
  homeOfTurn: read(({ homes }, turnId) => homes.ofTurn(turnId)),
  listWorkspaces: read(({ sessions }, ...args) => sessions.listWorkspaces(...args)),
  listChanges: read((tables, ...args) => listChanges(tables, ...args)),
  listTurnChanges: read(({ turnChangeLists }, ...args) => turnChangeLists.all(...args)),
  listStandingChanges: read(({ turnChangeLists }, ...args) => turnChangeLists.standing(...args)),
  listShares: read(({ shares }, sessionKey) => shares.list(sessionKey)),
} satisfies Partial<Methods>;

/** What is to be removed, and what servers left. */
const LEFT_METHODS = {
  deleteSession: write((tables, ...args) => new Removal(tables).deleteSession(...args)),
  shareSession: write(async (tables, sessionKey, share, most, epoch, audit) => {
    await tables.audit.append(await tables.leases.hold(epoch), audit);
    const isNew = await tables.shares.add(await onRecord(tables, sessionKey), share, most);
    if (isNew) await tables.turnChanges.retell(sessionKey, textOf(share.grantee));
    await tables.news.addSessionNews();
  }),
  unshareSession: write(async (tables, sessionKey, grantee, epoch, audit) => {
    await tables.audit.append(await tables.leases.hold(epoch), audit);
    await tables.shares.remove(await onRecord(tables, sessionKey), grantee);
    await tables.news.addSessionNews();
  }),
  removeEndedTurns: write((tables, ...args) => new Removal(tables).removeEndedTurns(...args)),
  removeSome: write((tables) => new Removal(tables).removeSome()),
  listRemovals: read((tables, owner) => new Removal(tables).list(owner)),
  recordRemoved: write((tables, workspace) => new Removal(tables).recordFilesRemoved(workspace)),
  listLeftTurns: read(({ turns }, owner) => turns.listLeft(owner)),
  listLeftProcesses: read(({ processes }, owner) => processes.listLeft(owner)),
} satisfies Partial<Methods>;

/** What is yet to be told outside. It is written by `append`. */
const OUTBOX_METHODS = {
  listUntold: read(({ outbox }, ...args) => outbox.list(...args)),
  recordTold: write(({ outbox }, key) => outbox.remove(key)),
  recordUntold: write(({ outbox }, key, dueTime) => outbox.postpone(key, dueTime)),
  giveUpUntold: write(({ outbox }, ...args) => outbox.giveUp(...args)),
} satisfies Partial<Methods>;

const LEASE_METHODS = {
  openLease: write(({ leases }, ...args) => leases.open(...args)),
  renewLease: write(({ leases }, ...args) => leases.renew(...args)),
  endLease: write(({ leases }, epoch) => leases.end(epoch)),
  fence: write(({ leases }, ...args) => leases.fence(...args)),
  listAway: read(({ leases }) => leases.listAway()),
} satisfies Partial<Methods>;

/** The record of who did what, one chain a server. */
const AUDIT_METHODS = {
  recordAudit: write(async ({ audit, leases }, entries, epoch) =>
    audit.append(await leases.hold(epoch), entries),
  ),
  removeAudit: write(async ({ audit, leases }, upTo, entries, epoch) => {
    const owner = await leases.hold(epoch);
    await audit.removeUpTo(owner, upTo);
    await audit.append(owner, entries);
  }),
  readAudit: read(({ audit }, ...args) => audit.read(...args)),
  readAuditHead: read(({ audit }, owner) => audit.head(owner)),
  findAuditBefore: read(({ audit }, ...args) => audit.findBefore(...args)),
} satisfies Partial<Methods>;

/** What agents keep of conversations. */
const TRANSCRIPT_METHODS = {
  findTranscript: read(({ transcripts }, sessionKey) => transcripts.find(sessionKey)),
  readSegments: read(({ transcripts }, ...args) => transcripts.readSegments(...args)),
  recordSegment: write(async (tables, segment, epoch) => {
    await atHome(tables, segment.sessionKey, epoch);
    await tables.transcripts.recordSegment(segment);
  }),
  recordTranscript: write(async (tables, transcript, epoch) => {
    await atHome(tables, transcript.sessionKey, epoch);
    await tables.transcripts.record(transcript);
  }),
  removeReplaced: write(async (tables, sessionKey, epoch) => {
    await atHome(tables, sessionKey, epoch);
    return tables.transcripts.removeReplaced(sessionKey);
  }),
  listUnkept: read(({ transcripts }, ...args) => transcripts.listUnkept(...args)),
} satisfies Partial<Methods>;

/** Which snapshots of workspaces count. */
const SNAPSHOT_METHODS = {
  findSnapshot: read(({ sessions }, sessionKey) => sessions.findSnapshot(sessionKey)),
  recordSnapshot: write(async (tables, sessionKey, snapshot, epoch) => {
    await atHome(tables, sessionKey, epoch);
    await tables.sessions.setSnapshot(sessionKey, snapshot);
  }),
} satisfies Partial<Methods>;

/** The methods of the store. */
export const METHODS: Methods = {
  ...SNAPSHOT_METHODS,
  ...TURN_METHODS,
  ...READ_METHODS,
  ...LEFT_METHODS,
  ...OUTBOX_METHODS,
  ...LEASE_METHODS,
  ...AUDIT_METHODS,
  ...TRANSCRIPT_METHODS,
};

function read<Args extends readonly unknown[], Result>(
  perform: (tables: Tables, ...args: Args) => Promise<Result>,
) {
  return { kind: "read", perform } as const;
}

function write<Args extends readonly unknown[], Result>(
  perform: (tables: Tables, ...args: Args) => Promise<Result>,
) {
  return { kind: "write", perform } as const;
}

async function beginTurn(tables: Tables, turnId: string, epoch: number): Promise<void> {
  const { leases, sessions, turns, turnChanges, appended } = tables;
  const { turnKey, ...turn } = await turns.getAppended(turnId);
  await leases.holdFor(turn.epoch, epoch);
  const sessionKey = await turns.begin(turnId);
  if (sessionKey === undefined) throw storageFailed("the turn is not one that waits");
  appended.delete(turnId);
  await sessions.beginQueued(sessionKey);
  await turnChanges.addState(turnKey, "changed", TurnState.RUNNING);
}

async function listChanges(
  tables: Tables,
  ...[name, view, afterCursor, limit, ofKey]: Parameters<StoreMethods["listChanges"]>
): Promise<SessionChange[]> {
  const session = await seenSession(tables, name, view);
  if (ofKey !== undefined && ofKey !== session.sessionKey) throw notFound("session");
  if (afterCursor > session.changeCount) throw pastSessionsLastChange(session.changeCount);
  return tables.turnLists.changesOf(session, afterCursor, limit);
}

/** The key of a session that is on record, which is locked. */
async function onRecord({ sessions }: Tables, sessionKey: string): Promise<string> {
  if ((await sessions.findLocked(sessionKey)) === undefined) throw notFound("session");
  return sessionKey;
}

/** Locks a lease for what is written for a session that is on record, and at home with the lease's owner. */
async function atHome(tables: Tables, sessionKey: string, epoch: number): Promise<void> {
  const owner = await tables.leases.hold(epoch);
  const session = await tables.sessions.findLocked(sessionKey);
  if (session === undefined) throw notFound("session");
  if (session.home !== owner) throw sessionElsewhere(session.home);
}

/** Writes what a turn writes, from its start in a new session to its end. */
async function tryTurn(tables: Tables, audit: readonly AuditEntry[], epoch: number): Promise<void> {
  const [turnId, time] = [randomUUIDv7(), Date.now()];
  await startTurn(tables, { ...startOf(turnId, time), audit }, epoch);
  const event = { turnId, firstSequence: 1, events: [new Uint8Array(1)], time };
  await append(tables, { ...event, audit, end: END }, epoch);
}
