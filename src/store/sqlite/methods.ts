import { notFound, Refusal, storageFailed } from "../../errors.ts";
import type { SessionChange, Store, StoreMethods } from "../store.ts";
import { append, isOneInsert } from "./append.ts";
import type { FileLease } from "./file-lease.ts";
import { Removal } from "./removal.ts";
import { startTurn } from "./start-turn.ts";
import type { Tables } from "./tables.ts";

/** What can be asked of the store's thread: all that the store can do. */
export type MethodName = keyof StoreMethods;

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
  : Awaited<ReturnType<Store[Name]>>;

/** Each method of the store: one that is missing, or takes or answers something else, does not compile. */
export type Methods = {
  readonly [Name in MethodName]: Method<Parameters<Store[Name]>, Answered<Name>>;
};

/** The methods of the store on the tables of a connection. */
export function createMethods(tables: Tables, lease: FileLease, close: () => void): Methods {
  const { sessions, turns, turnLists, requests, conversations, processes } = tables;
  const removal = new Removal(tables);
  /** A write that carries the epoch of a lease, its last argument. */
  const owned = <Args extends readonly unknown[], Result>(
    perform: (...args: [...Args, epoch: number]) => Result,
  ) =>
    write((...args: [...Args, epoch: number]) => {
      lease.check(args.at(-1) as number);
      return perform(...args);
    });
  return {
    createTurn: {
      ...owned((start, epoch) => startTurn(tables, start, epoch)),
      bytes: ({ prompt }) => prompt.length,
    },
    beginTurn: owned((turnId) => beginTurn(tables, turnId)),
    append: {
      ...owned((batch) => append(tables, batch)),
      bytes: (batch) => batch.events.reduce((sum, event) => sum + event.length, 0),
      isOneStatement: isOneInsert,
    },
    claimConversation: owned((key, agentSessionId) => conversations.claim(key, agentSessionId)),
    findSteer: read((...args) => requests.findSteer(...args)),
    recordProcess: owned((process, epoch) => processes.record(process, epoch)),
    recordProcessGone: write((processId) => processes.recordGone(processId)),
    readEvents: read((...args) => readEvents(tables, ...args)),
    getTurn: read((...args) => turns.get(...args)),
    listTurns: read((sessionId, principal, ...page) =>
      turnLists.ofSession(sessions.get(sessionId, principal), ...page),
    ),
    listAllTurns: read((...args) => turnLists.ofAll(...args)),
    getSession: read((...args) => sessions.describe(...args)),
    listSessions: read((...args) => sessions.list(...args)),
    listChanges: read((...args) => listChanges(tables, ...args)),
    deleteSession: write((...args) => removal.deleteSession(...args)),
    removeEndedTurns: write((...args) => removal.removeEndedTurns(...args)),
    removeSome: write(() => removal.removeSome()),
    listRemovals: read((owner) => (lease.isOf(owner) ? removal.list() : [])),
    recordRemoved: write((workspace) => removal.recordFilesRemoved(workspace)),
    listLeftTurns: read((owner) => (lease.isOf(owner) ? turns.listLeft(lease.epoch) : [])),
    listLeftProcesses: read((owner) => (lease.isOf(owner) ? processes.listLeft(lease.epoch) : [])),
    close: read(close),
  };
}

function read<Args extends readonly unknown[], Result>(perform: (...args: Args) => Result) {
  return { kind: "read", perform } as const;
}

function write<Args extends readonly unknown[], Result>(perform: (...args: Args) => Result) {
  return { kind: "write", perform } as const;
}

function beginTurn({ sessions, turns }: Tables, turnId: string): void {
  const sessionKey = turns.begin(turnId);
  if (sessionKey === undefined) throw storageFailed("the turn is not one that waits");
  sessions.beginQueued(sessionKey);
}

function readEvents(
  { turns, events }: Tables,
  ...[turnId, afterSequence, maxBytes]: Parameters<Store["readEvents"]>
): Uint8Array[] {
  const turnKey = turns.findKey(turnId);
  return turnKey === undefined ? [] : events.read(turnKey, afterSequence, maxBytes);
}

function listChanges(
  { sessions, turnLists }: Tables,
  ...[sessionId, principal, afterCursor, limit, ofKey]: Parameters<Store["listChanges"]>
): SessionChange[] {
  const session = sessions.get(sessionId, principal);
  if (ofKey !== undefined && ofKey !== session.sessionKey) throw notFound("session");
  if (afterCursor > session.changeCount) throw pastLastChange(session.changeCount);
  return turnLists.changesOf(session, afterCursor, limit);
}

function pastLastChange(changeCount: number): Refusal {
  const message = `after_cursor is past the session's last change, ${changeCount}`;
  return new Refusal("OUT_OF_RANGE", message, { metadata: { last_cursor: String(changeCount) } });
}
