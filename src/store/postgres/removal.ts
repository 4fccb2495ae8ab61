import type { AuditEntry } from "../../audit/entry.ts";
import { notFound, sessionElsewhere } from "../../errors.ts";
import { turnInProgress } from "../common/start-refusals.ts";
import type { RemovedSession, RemovedTurns, SessionRecord } from "../records.ts";
import type { SessionName } from "../views.ts";
import type { Tables } from "./tables.ts";

/** What one piece may cost: other turns' events wait for it. */
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

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** As `Store.deleteSession`. */
  async deleteSession(
    named: SessionName | string,
    time: number,
    epoch: number,
    audit: readonly AuditEntry[] = [],
  ): Promise<RemovedSession> {
    const { leases, sessions, requests } = this.#tables;
    const owner = await leases.hold(epoch);
    const session = await sessions.findLocked(named);
    if (session === undefined) throw notFound("session");
    if ((await this.#othersOf(owner)).includes(session.home)) throw sessionElsewhere(session.home);
    const unended = session.queuedTurnId || session.runningTurnId;
    if (unended !== "") throw turnInProgress(unended);
    await requests.forget(time);
    await this.#tables.audit.append(owner, audit);
    return this.#takeOff(session, time);
  }

  /** As `Store.removeEndedTurns`. */
  async removeEndedTurns(
    before: number,
    limit: number,
    time: number,
    epoch: number,
    audit: readonly AuditEntry[] = [],
  ): Promise<RemovedTurns> {
    const { leases, sessions, turns, turnChanges, requests } = this.#tables;
    const owner = await leases.hold(epoch);
    const taken = await turns.takeOffEnded(before, limit, time, await this.#othersOf(owner));
    await turnChanges.takeOffTurns(taken.map(({ turnKey }) => turnKey));
    const removed: RemovedSession[] = [];
    const ofSessions = Map.groupBy(taken, ({ sessionKey }) => sessionKey);
    for (const [sessionKey, { length }] of ofSessions) {
      await sessions.dropTurns(sessionKey, length);
      const empty = await sessions.findEmpty(sessionKey);
      if (empty !== undefined) removed.push(await this.#takeOff(empty, time));
    }
    await requests.forget(time);
    if (taken.length > 0) {
      const gone = removed.map(({ sessionId }) => sessionId);
      const facts = { turns: taken.length, sessions: gone };
      const entries = audit.map((entry) => ({ ...entry, facts: { ...entry.facts, ...facts } }));
      await this.#tables.audit.append(owner, entries);
    }
    return { turns: taken.length, sessions: removed };
  }

  /** As `Store.removeSome`. */
  async removeSome(): Promise<boolean> {
    const { turns, events, transcripts } = this.#tables;
    let left = PIECE_BYTES;
    for (;;) {
      const turn = await turns.findRemoved();
      if (turn === undefined) return false;
      left -= await events.removeFirst(turn.turnId, left);
      if (left <= 0) return true;
      left -= await this.#refuseRequests(turn.turnId, turn.removeTime);
      if (left <= 0) return true;
      left -= await this.#removeChanges(turn.turnKey);
      if (left <= 0) return true;
      left -= await transcripts.removeOfRemoved(turn.sessionKey, left);
      if (left <= 0) return true;
      await turns.remove(turn.turnKey);
      await this.#removeIfOver(turn.sessionKey);
      left -= ROW_BYTES + turn.promptBytes;
      if (left <= 0) return true;
    }
  }

  /** As `Store.listRemovals`. */
  async list(home: string): Promise<RemovedSession[]> {
    const removed: RemovedSession[] = [];
    for (const session of await this.#tables.sessions.listTakenOff(home)) {
      removed.push(await this.#removedOf(session));
    }
    return removed;
  }

  /** As `Store.recordRemoved`. */
  async recordFilesRemoved(workspace: string): Promise<void> {
    const sessionKey = await this.#tables.sessions.recordFilesRemoved(workspace);
    if (sessionKey !== undefined) await this.#removeIfOver(sessionKey);
  }

  /** The servers that see to their sessions themselves, but for the one that asks. */
  async #othersOf(own: string): Promise<string[]> {
    return (await this.#tables.leases.owners()).filter((owner) => owner !== own);
  }

  async #takeOff(session: SessionRecord, time: number): Promise<RemovedSession> {
    await this.#tables.sessions.takeOff(session.sessionKey, time);
    await this.#tables.turnChanges.takeOffSession(session.sessionKey);
    await this.#tables.news.addSessionNews();
    return this.#removedOf(session);
  }

  async #removedOf(session: SessionRecord): Promise<RemovedSession> {
    const { sessionId, sessionKey, agentKind, workspace, home } = session;
    const agentSessionIds = await this.#tables.conversations.listOf(sessionKey);
    return { sessionId, sessionKey, agentKind, workspace, home, agentSessionIds };
  }

  /** Answers what it cost: a whole piece where some are left. */
  async #refuseRequests(turnId: string, removeTime: number): Promise<number> {
    const refused = await this.#tables.requests.refuseOf(turnId, removeTime, MOST_REQUESTS);
    return refused < MOST_REQUESTS ? refused * ROW_BYTES : PIECE_BYTES;
  }

  /** As `#refuseRequests`. */
  async #removeChanges(turnKey: number): Promise<number> {
    const removed = await this.#tables.turnChanges.removeOf(turnKey, MOST_CHANGES);
    return removed < MOST_CHANGES ? removed * ROW_BYTES : PIECE_BYTES;
  }

  async #removeIfOver(sessionKey: string): Promise<void> {
    const { sessions, conversations, shares } = this.#tables;
    if (!(await sessions.isOver(sessionKey))) return;
    await conversations.removeOf(sessionKey);
    await shares.removeOf(sessionKey);
    await sessions.remove(sessionKey);
  }
}
