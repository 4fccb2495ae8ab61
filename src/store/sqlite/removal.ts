import type { AuditEntry } from "../../audit/entry.ts";
import { notFound, sessionElsewhere } from "../../errors.ts";
import { turnInProgress } from "../common/start-refusals.ts";
import type { RemovedSession, RemovedTurns, SessionRecord } from "../records.ts";
import type { SessionName } from "../views.ts";
import type { FileLeases } from "./file-leases.ts";
import type { Tables } from "./tables.ts";

/** What one piece may cost: other turns' events wait for it (measured: 2 ms, and 7 for an event of 1 MB). */
const PIECE_BYTES = 256 * 1024;
/** What a row costs beside its bytes. */
const ROW_BYTES = 256;
const MOST_REQUESTS = PIECE_BYTES / ROW_BYTES / 2;
const MOST_CHANGES = MOST_REQUESTS;

/**
 * Takes sessions and turns off the record, and removes what is off it piece by piece.
 *
 * 1. A turn's row goes behind its events and its requests' marks, and behind the transcript of a session off the record; a
 *    session's behind its turns: whatever interrupts it, the next piece goes on.
 * 2. What is on record is not touched.
 */
export class Removal {
  readonly #tables: Tables;
  readonly #leases: FileLeases;

  constructor(tables: Tables, leases: FileLeases) {
    this.#tables = tables;
    this.#leases = leases;
  }

  /** As `Store.deleteSession`. */
  deleteSession(
    named: SessionName | string,
    time: number,
    epoch: number,
    audit: readonly AuditEntry[] = [],
  ): RemovedSession {
    const { sessions, requests } = this.#tables;
    const session = typeof named === "string" ? sessions.findByKey(named) : sessions.find(named);
    if (session === undefined) throw notFound("session");
    if (this.#othersOf(epoch).includes(session.home)) throw sessionElsewhere(session.home);
    const unended = session.queuedTurnId || session.runningTurnId;
    if (unended !== "") throw turnInProgress(unended);
    requests.forget(time);
    this.#tables.audit.append(this.#leases.ownerOf(epoch), audit);
    return this.#takeOff(session, time);
  }

  /** As `Store.removeEndedTurns`. */
  removeEndedTurns(
    before: number,
    limit: number,
    time: number,
    epoch: number,
    audit: readonly AuditEntry[] = [],
  ): RemovedTurns {
    const { sessions, turns, turnChanges, requests } = this.#tables;
    const taken = turns.takeOffEnded(before, limit, time, this.#othersOf(epoch));
    turnChanges.takeOffTurns(taken.map(({ turnKey }) => turnKey));
    const sessionKeys = taken.map(({ sessionKey }) => sessionKey);
    for (const sessionKey of sessionKeys) sessions.dropTurn(sessionKey);
    const removed: RemovedSession[] = [];
    for (const sessionKey of new Set(sessionKeys)) {
      const empty = sessions.findEmpty(sessionKey);
      if (empty !== undefined) removed.push(this.#takeOff(empty, time));
    }
    requests.forget(time);
    if (sessionKeys.length > 0) {
      const gone = removed.map(({ sessionId }) => sessionId);
      const facts = { turns: sessionKeys.length, sessions: gone };
      const entries = audit.map((entry) => ({ ...entry, facts: { ...entry.facts, ...facts } }));
      this.#tables.audit.append(this.#leases.ownerOf(epoch), entries);
    }
    return { turns: sessionKeys.length, sessions: removed };
  }

  /** As `Store.removeSome`. */
  removeSome(): boolean {
    const { turns, events, prompts, transcripts } = this.#tables;
    let left = PIECE_BYTES;
    for (let turn = turns.findRemoved(); turn !== undefined; turn = turns.findRemoved()) {
      left -= events.removeFirst(turn.turnKey, left);
      if (left <= 0) return true;
      left -= this.#refuseRequests(turn.turnId, turn.removeTime);
      if (left <= 0) return true;
      left -= this.#removeChanges(turn.turnKey);
      if (left <= 0) return true;
      left -= transcripts.removeOfRemoved(turn.sessionKey, left);
      if (left <= 0) return true;
      prompts.remove(turn.searchKey);
      turns.remove(turn.turnKey);
      this.#removeIfOver(turn.sessionKey);
      left -= ROW_BYTES + turn.promptBytes;
      if (left <= 0) return true;
    }
    return false;
  }

  /** As `Store.listRemovals`. */
  list(home: string): RemovedSession[] {
    return this.#tables.sessions.listTakenOff(home).map((session) => this.#removedOf(session));
  }

  /** As `Store.recordRemoved`. */
  recordFilesRemoved(workspace: string): void {
    const sessionKey = this.#tables.sessions.recordFilesRemoved(workspace);
    if (sessionKey !== undefined) this.#removeIfOver(sessionKey);
  }

  /** The servers that see to their sessions themselves, but for the one that asks. */
  #othersOf(epoch: number): string[] {
    const own = this.#leases.ownerOf(epoch);
    return this.#leases.owners().filter((owner) => owner !== own);
  }

  #takeOff(session: SessionRecord, time: number): RemovedSession {
    this.#tables.sessions.takeOff(session.sessionKey, time);
    this.#tables.turnChanges.takeOffSession(session.sessionKey);
    return this.#removedOf(session);
  }

  #removedOf(session: SessionRecord): RemovedSession {
    const { sessionId, sessionKey, agentKind, workspace, home } = session;
    const agentSessionIds = this.#tables.conversations.listOf(sessionKey);
    return { sessionId, sessionKey, agentKind, workspace, home, agentSessionIds };
  }

  /** Answers what it cost: a whole piece where some are left. */
  #refuseRequests(turnId: string, removeTime: number): number {
    const refused = this.#tables.requests.refuseOf(turnId, removeTime, MOST_REQUESTS);
    return refused < MOST_REQUESTS ? refused * ROW_BYTES : PIECE_BYTES;
  }

  /** As `#refuseRequests`. */
  #removeChanges(turnKey: number): number {
    const removed = this.#tables.turnChanges.removeOf(turnKey, MOST_CHANGES);
    return removed < MOST_CHANGES ? removed * ROW_BYTES : PIECE_BYTES;
  }

  #removeIfOver(sessionKey: string): void {
    const { sessions, conversations, shares } = this.#tables;
    if (!sessions.isOver(sessionKey)) return;
    conversations.removeOf(sessionKey);
    shares.removeOf(sessionKey);
    sessions.remove(sessionKey);
  }
}
