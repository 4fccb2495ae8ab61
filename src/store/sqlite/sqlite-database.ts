import { createHash } from "node:crypto";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { notFound, Refusal, storageFailed } from "../../errors.ts";
import type {
  EventBatch,
  LeftTurn,
  Page,
  RemovedSession,
  RemovedTurns,
  SessionPlace,
  SessionRecord,
  StartedTurn,
  TurnRecord,
  TurnStart,
} from "../store.ts";
import { type PackedEvents, packEvents } from "./packed-events.ts";
import { sessionOf, turnOf } from "./rows.ts";
import { prepare } from "./schema.ts";

const LISTED_PROMPT_BYTES = 4096;
/** Below the 3 MiB of a response, with room for what is not the prompt. */
const LIST_BYTES = 2_500_000;
const REQUEST_KEPT_MS = 24 * 3600 * 1000;
/** So many events leave in one commit, but for a turn that has more: other turns' events wait for it. */
const REMOVED_EVENTS = 2000;
/** Requests outlive what they started. */
const FORGET_LATER = {
  session: "UPDATE requests SET forget_time = ? WHERE session_id = ? AND forget_time IS NULL",
  turn: "UPDATE requests SET forget_time = ? WHERE turn_id = ?",
};

/**
 * The store's operations on one connection, synchronous: the worker's side of `SqliteStore`.
 *
 * Those that write are to be called inside a transaction (`transaction`), and refuse before they write anything.
 */
export class SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @throws Error with a message for the operator where the file cannot be used. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 0 });
    prepare(this.#database);
  }

  /** Runs `work` and commits, or rolls back and throws what it threw. */
  transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const answer = work();
      this.#database.exec("COMMIT");
      return answer;
    } catch (error) {
      // SQLite rolls back by itself where the disk is full.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  createTurn(start: TurnStart): StartedTurn {
    const joined = this.#findRequested(start);
    if (joined !== undefined) return joined;
    if (start.refusal !== undefined) {
      throw new Refusal(start.refusal.reason, start.refusal.message, { retryAfterMs: 1000 });
    }
    const session = this.#openSession(start);
    if (session.turnCount >= start.maxSessionTurns) {
      const message = `the session has ${session.turnCount} turns on record, its limit: begin another, or delete it`;
      throw new Refusal("SESSION_FULL", message);
    }
    if (session.runningTurnId !== "") throw turnInProgress(session.runningTurnId);
    this.#insertTurn(start, session);
    return {
      turn: this.getTurn(start.turnId, start.principal),
      session: this.getSession(session.sessionId, start.principal),
      joined: false,
    };
  }

  append(batch: Omit<EventBatch, "events">, events: readonly Uint8Array[]): void {
    const sql = "SELECT turn_key, session_id, last_sequence, state FROM turns WHERE turn_id = ?";
    const turn = this.#get(sql, batch.turnId);
    if (turn === undefined) throw notFound("turn");
    // A batch behind one that failed must fail too: it would leave a gap.
    if (turn.last_sequence !== batch.firstSequence - 1 || turn.state !== TurnState.RUNNING) {
      throw storageFailed("a batch does not follow the turn's last event");
    }
    const insert = this.#statement(
      "INSERT INTO events (turn_key, sequence, event) VALUES (?, ?, ?)",
    );
    const key = turn.turn_key as number;
    let sequence = batch.firstSequence;
    for (const event of events) insert.run(key, sequence++, event);
    this.#run("UPDATE turns SET last_sequence = ? WHERE turn_key = ?", sequence - 1, key);
    const sessionId = String(turn.session_id);
    if (batch.agentSessionId !== undefined) {
      const sql = "UPDATE sessions SET agent_session_id = ? WHERE session_id = ?";
      this.#run(sql, batch.agentSessionId, sessionId);
    }
    if (batch.end === undefined) return;
    const { state, errorReason } = batch.end;
    const endTurn = "UPDATE turns SET state = ?, error_reason = ?, end_time = ? WHERE turn_key = ?";
    this.#run(endTurn, state, errorReason, batch.time, key);
    const endSession =
      "UPDATE sessions SET running_turn_id = '', last_active_time = ? WHERE session_id = ?";
    this.#run(endSession, batch.time, sessionId);
  }

  recordProcessesGone(turnId: string): void {
    this.#run("UPDATE turns SET processes_gone = 1 WHERE turn_id = ?", turnId);
  }

  readEvents(turnId: string, afterSequence: number, maxBytes: number): PackedEvents {
    const sql = `SELECT event FROM events WHERE turn_key = (SELECT turn_key FROM turns WHERE turn_id = ?)
      AND sequence > ? ORDER BY sequence`;
    const events: Uint8Array[] = [];
    let bytes = 0;
    for (const row of this.#statement(sql).iterate(turnId, afterSequence)) {
      const event = row.event as Uint8Array;
      events.push(event);
      bytes += event.length;
      if (bytes >= maxBytes) break;
    }
    return packEvents(events);
  }

  getTurn(turnId: string, principal: string): TurnRecord {
    const row = this.#get(
      "SELECT * FROM turns WHERE turn_id = ? AND principal = ?",
      turnId,
      principal,
    );
    if (row === undefined) throw notFound("turn");
    return turnOf(row);
  }

  listTurns(
    sessionId: string,
    principal: string,
    pageSize: number,
    after: number | undefined,
  ): Page<TurnRecord, number> {
    this.getSession(sessionId, principal);
    const sql = `SELECT turn_key, turn_id, session_id, state, error_reason, principal, model, agent, last_sequence,
      create_time, end_time, substr(prompt, 1, ${LISTED_PROMPT_BYTES}) AS prompt,
      length(prompt) > ${LISTED_PROMPT_BYTES} AS prompt_cut
      FROM turns WHERE session_id = ? AND turn_key < ? ORDER BY turn_key DESC`;
    const items: TurnRecord[] = [];
    let bytes = 0;
    let last: number | undefined;
    for (const row of this.#statement(sql).iterate(sessionId, after ?? Number.MAX_SAFE_INTEGER)) {
      if (items.length >= pageSize || bytes > LIST_BYTES) return { items, next: last };
      const turn = turnOf(row, LISTED_PROMPT_BYTES);
      items.push(turn);
      bytes += Buffer.byteLength(turn.prompt) + 1024;
      last = Number(row.turn_key);
    }
    return { items, next: undefined };
  }

  getSession(sessionId: string, principal: string): SessionRecord {
    const session = this.#findSession(sessionId);
    if (session === undefined || session.principal !== principal) throw notFound("session");
    return session;
  }

  listSessions(
    principal: string,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Page<SessionRecord, SessionPlace> {
    const sql = `SELECT * FROM sessions WHERE principal = ? AND (last_active_time, session_id) < (?, ?)
      ORDER BY last_active_time DESC, session_id DESC LIMIT ?`;
    const from = after ?? { lastActiveTime: Number.MAX_SAFE_INTEGER, sessionId: "" };
    const found = this.#statement(sql)
      .all(principal, from.lastActiveTime, from.sessionId, pageSize + 1)
      .map(sessionOf);
    const items = found.slice(0, pageSize);
    return { items, next: found.length > pageSize ? items.at(-1) : undefined };
  }

  deleteSession(sessionId: string, principal: string, time: number): SessionRecord {
    const session = this.getSession(sessionId, principal);
    if (session.runningTurnId !== "") throw turnInProgress(session.runningTurnId);
    const keys = "SELECT turn_key FROM turns WHERE session_id = ?";
    this.#run(`DELETE FROM events WHERE turn_key IN (${keys})`, sessionId);
    this.#run("DELETE FROM turns WHERE session_id = ?", sessionId);
    this.#run(FORGET_LATER.session, time + REQUEST_KEPT_MS, sessionId);
    this.#removeSession(session);
    this.#run("DELETE FROM requests WHERE forget_time < ?", time);
    return session;
  }

  removeEndedTurns(before: number, limit: number, time: number): RemovedTurns {
    const old = this.#listRemovable(before, limit);
    for (const turn of old) {
      this.#run("DELETE FROM events WHERE turn_key = ?", Number(turn.turn_key));
      this.#run("DELETE FROM turns WHERE turn_key = ?", Number(turn.turn_key));
      this.#run(FORGET_LATER.turn, time + REQUEST_KEPT_MS, String(turn.turn_id));
      const count = "UPDATE sessions SET turn_count = turn_count - 1 WHERE session_id = ?";
      this.#run(count, String(turn.session_id));
    }
    const sessions: RemovedSession[] = [];
    for (const sessionId of new Set(old.map((turn) => String(turn.session_id)))) {
      const session = this.#findSession(sessionId);
      if (session === undefined || session.turnCount > 0) continue;
      sessions.push(this.#removeSession(session));
    }
    this.#run("DELETE FROM requests WHERE forget_time < ?", time);
    return { turns: old.length, sessions };
  }

  #listRemovable(before: number, limit: number) {
    const sql = `SELECT turn_key, turn_id, session_id, last_sequence FROM turns
      WHERE end_time < ? AND processes_gone = 1 ORDER BY end_time LIMIT ?`;
    let events = 0;
    return this.#statement(sql)
      .all(before, limit)
      .filter((turn, index) => {
        events += Number(turn.last_sequence);
        return index === 0 || events <= REMOVED_EVENTS;
      });
  }

  listRemovals(): RemovedSession[] {
    return this.#statement("SELECT * FROM removals")
      .all()
      .map((row) => ({
        sessionId: String(row.session_id),
        workspace: String(row.workspace),
        agentSessionId: String(row.agent_session_id),
      }));
  }

  recordRemoved(workspace: string): void {
    this.#run("DELETE FROM removals WHERE workspace = ?", workspace);
  }

  #removeSession({ sessionId, workspace, agentSessionId }: RemovedSession): RemovedSession {
    this.#run("DELETE FROM sessions WHERE session_id = ?", sessionId);
    const sql =
      "INSERT OR REPLACE INTO removals (workspace, session_id, agent_session_id) VALUES (?, ?, ?)";
    this.#run(sql, workspace, sessionId, agentSessionId);
    return { sessionId, workspace, agentSessionId };
  }

  listLeftTurns(): LeftTurn[] {
    const sql = `SELECT turn_id, session_id, process_id, last_sequence, state FROM turns
      WHERE processes_gone = 0 ORDER BY turn_key`;
    return this.#statement(sql)
      .all()
      .map((row) => ({
        turnId: String(row.turn_id),
        sessionId: String(row.session_id),
        processId: String(row.process_id),
        lastSequence: Number(row.last_sequence),
        running: row.state === TurnState.RUNNING,
      }));
  }

  #findRequested(start: TurnStart): StartedTurn | undefined {
    if (start.requestId === "") return undefined;
    const sql = "SELECT * FROM requests WHERE principal = ? AND request_id = ?";
    const request = this.#get(sql, start.principal, start.requestId);
    if (request === undefined) return undefined;
    if (request.forget_time !== null) {
      if (Number(request.forget_time) >= start.time) throw notFound("turn");
      this.#run("DELETE FROM requests WHERE forget_time < ?", start.time);
      return undefined;
    }
    const sameSession =
      start.sentSessionId === request.sent_session_id || start.sentSessionId === request.session_id;
    const same = fingerprint(start).equals(request.fingerprint as Uint8Array);
    if (!sameSession || !same) {
      throw new Refusal(
        "REQUEST_ID_REUSED",
        "request_id was used before, with another session, prompt, model or agent",
      );
    }
    const turn = this.getTurn(String(request.turn_id), start.principal);
    return { turn, session: this.getSession(turn.sessionId, start.principal), joined: true };
  }

  #openSession(start: TurnStart): SessionRecord {
    const { sessionId, agent, model, workspace, agentSessionId } = start.newSession;
    const known = this.#findSession(sessionId);
    if (known !== undefined) {
      if (known.principal !== start.principal) throw notFound("session");
      return known;
    }
    const sql = `INSERT INTO sessions (session_id, principal, agent, model, workspace, agent_session_id, create_time,
      last_active_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
    const { principal, time } = start;
    this.#run(sql, sessionId, principal, agent, model, workspace, agentSessionId, time, time);
    return this.getSession(sessionId, principal);
  }

  #insertTurn(start: TurnStart, session: SessionRecord): void {
    const { turnId, processId, principal, prompt, requestId, time } = start;
    const insertTurn = `INSERT INTO turns (turn_id, session_id, process_id, state, prompt, principal, model, agent,
      create_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    const model = start.model || session.model;
    const agent = start.agent || session.agent;
    const { sessionId } = session;
    const state = TurnState.RUNNING;
    this.#run(
      insertTurn,
      turnId,
      sessionId,
      processId,
      state,
      prompt,
      principal,
      model,
      agent,
      time,
    );
    const touch = `UPDATE sessions SET running_turn_id = ?, last_active_time = ?, turn_count = turn_count + 1
      WHERE session_id = ?`;
    this.#run(touch, turnId, time, sessionId);
    if (requestId === "") return;
    const insertRequest = `INSERT INTO requests (principal, request_id, turn_id, session_id, sent_session_id, fingerprint)
      VALUES (?, ?, ?, ?, ?, ?)`;
    const print = fingerprint(start);
    this.#run(insertRequest, principal, requestId, turnId, sessionId, start.sentSessionId, print);
  }

  #findSession(sessionId: string): SessionRecord | undefined {
    const row = this.#get("SELECT * FROM sessions WHERE session_id = ?", sessionId);
    return row && sessionOf(row);
  }

  #get(sql: string, ...values: (string | number)[]) {
    return this.#statement(sql).get(...values);
  }

  #run(sql: string, ...values: (string | number | Uint8Array)[]): void {
    this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function turnInProgress(turnId: string): Refusal {
  return new Refusal("TURN_IN_PROGRESS", `turn ${turnId} is running in the session`, {
    metadata: { turn_id: turnId },
  });
}

function fingerprint(start: TurnStart): Buffer {
  const compared = JSON.stringify([start.prompt, start.model, start.agent]);
  return createHash("sha256").update(compared).digest();
}
