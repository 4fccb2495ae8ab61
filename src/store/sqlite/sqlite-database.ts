import { createHash, randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { notFound, Refusal, storageFailed } from "../../errors.ts";
import { isLive } from "../../turn-state.ts";
import type {
  EventBatch,
  LeftProcess,
  LeftTurn,
  Page,
  RemovedSession,
  RemovedTurns,
  SessionChange,
  SessionPlace,
  SessionRecord,
  StartedTurn,
  SteerRequest,
  TurnEndRecord,
  TurnRecord,
  TurnStart,
} from "../store.ts";
import { type PackedEvents, packEvents } from "./packed-events.ts";
import { REQUEST_KEPT_MS, RemovedRows } from "./removed-rows.ts";
import { MOST_TOKENS, SPENDING_COLUMNS, sessionOf, spendingValues, turnOf } from "./rows.ts";
import { prepare } from "./schema.ts";
import { Statements, type Value } from "./statements.ts";

const LISTED_PROMPT_BYTES = 4096;
/** A turn, without a long prompt and without its session's id. Counting a prompt's characters would read all of it once more. */
const LISTED_COLUMNS = `turn_key, turn_id, session_key, state, error_reason, principal, model, agent, last_sequence,
  create_time, end_time, substr(prompt, 1, ${LISTED_PROMPT_BYTES}) AS prompt,
  octet_length(prompt) > ${LISTED_PROMPT_BYTES} AS prompt_cut, origin, cause_turn_id, permission_mode, permission_denial_count,
  attachments, ${SPENDING_COLUMNS.join(", ")}`;
/** Below the 3 MiB of a response, with room for what is not the prompt. */
const LIST_BYTES = 2_500_000;
/** So many requests that are no longer kept leave in one commit. */
const FORGOTTEN_AT_ONCE = 500;
/** A turn that is on record, and its session's id. */
const TURN_ON_RECORD = `FROM turns JOIN sessions USING (session_key)
  WHERE turn_id = ? AND turns.remove_time IS NULL AND sessions.remove_time IS NULL`;

/**
 * The store's operations on one connection, synchronous: the worker's side of `SqliteStore`.
 *
 * Those that write are to be called inside a transaction (`transaction`), and refuse before they write anything.
 */
export class SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #removed: RemovedRows;

  /** @throws Error with a message for the operator where the file cannot be used. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 0 });
    prepare(this.#database);
    this.#statements = new Statements(this.#database);
    this.#removed = new RemovedRows(this.#statements);
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
    const { sessionId, principal } = session;
    const isOwn = start.origin === TurnOrigin.AGENT;
    if (!isOwn && session.turnCount >= start.maxSessionTurns) {
      const message = `the session has ${session.turnCount} turns on record, its limit: begin another, or delete it`;
      throw new Refusal("SESSION_FULL", message);
    }
    this.#insertTurn(start, session, this.#stateOf(start, session));
    return {
      turn: this.getTurn(start.turnId, principal),
      session: this.getSession(sessionId, principal),
      joined: false,
    };
  }

  beginTurn(turnId: string): void {
    const isQueued = "turn_id = ? AND state = ?";
    const begin = `UPDATE turns SET state = ? WHERE ${isQueued}`;
    const begun = this.#run(begin, TurnState.RUNNING, turnId, TurnState.QUEUED);
    if (begun === 0) throw storageFailed("the turn is not one that waits");
    const sql = `UPDATE sessions SET running_turn_id = queued_turn_id, queued_turn_id = ''
      WHERE session_key = (SELECT session_key FROM turns WHERE turn_id = ?)`;
    this.#run(sql, turnId);
  }

  append(batch: Omit<EventBatch, "events">, events: readonly Uint8Array[]): void {
    const sql = "SELECT turn_key, session_key, last_sequence, state FROM turns WHERE turn_id = ?";
    const turn = this.#get(sql, batch.turnId);
    if (turn === undefined) throw notFound("turn");
    // A batch behind one that failed must fail too: it would leave a gap.
    if (turn.last_sequence !== batch.firstSequence - 1 || !isLive(turn.state as TurnState)) {
      throw storageFailed("a batch does not follow the turn's last event");
    }
    const insert = this.#statements.prepare(
      "INSERT INTO events (turn_key, sequence, event) VALUES (?, ?, ?)",
    );
    const key = turn.turn_key as number;
    let sequence = batch.firstSequence;
    for (const event of events) insert.run(key, sequence++, event);
    this.#run("UPDATE turns SET last_sequence = ? WHERE turn_key = ?", sequence - 1, key);
    const sessionKey = String(turn.session_key);
    const { agentSessionId } = batch;
    if (agentSessionId !== undefined && this.claimConversation(sessionKey, agentSessionId)) {
      const sql = "UPDATE sessions SET agent_session_id = ? WHERE session_key = ?";
      this.#run(sql, agentSessionId, sessionKey);
    }
    if (batch.state !== undefined) {
      this.#run("UPDATE turns SET state = ? WHERE turn_key = ?", batch.state, key);
    }
    if (batch.steer !== undefined) this.#insertSteer(batch.steer, batch);
    if (batch.end !== undefined) this.#endTurn(batch.turnId, sessionKey, batch.end, batch.time);
  }

  claimConversation(sessionKey: string, agentSessionId: string): boolean {
    const claim =
      "INSERT OR IGNORE INTO conversations (agent_session_id, session_key) VALUES (?, ?)";
    if (this.#run(claim, agentSessionId, sessionKey) > 0) return true;
    const owner = "SELECT session_key FROM conversations WHERE agent_session_id = ?";
    return this.#get(owner, agentSessionId)?.session_key === sessionKey;
  }

  #endTurn(turnId: string, sessionKey: string, end: TurnEndRecord, time: number): void {
    const { state, errorReason, permissionDenialCount } = end;
    const change = this.#nextChange(sessionKey);
    const spending = spendingValues(end);
    const endTurn = `UPDATE turns SET state = ?, error_reason = ?, end_time = ?, end_change = ?,
      permission_denial_count = ?, ${SPENDING_COLUMNS.map((column) => `${column} = ?`).join(", ")} WHERE turn_id = ?`;
    this.#run(
      endTurn,
      state,
      errorReason,
      time,
      change,
      permissionDenialCount,
      ...spending,
      turnId,
    );
    const sums = SPENDING_COLUMNS.map((column, index) => {
      const sum = `coalesce(${column}, 0) + ?${index + 1}`;
      const kept = column === "total_cost_usd" ? sum : `min(${sum}, ${MOST_TOKENS})`;
      // What is unknown adds nothing, and makes nothing known.
      return `${column} = iif(?${index + 1} IS NULL, ${column}, ${kept})`;
    });
    const endSession = `UPDATE sessions SET ${sums.join(", ")}, last_active_time = ?6,
      running_turn_id = iif(running_turn_id = ?7, '', running_turn_id),
      queued_turn_id = iif(queued_turn_id = ?7, '', queued_turn_id) WHERE session_key = ?8`;
    this.#run(endSession, ...spending, time, turnId, sessionKey);
  }

  #nextChange(sessionKey: string): number {
    const sql =
      "UPDATE sessions SET change_count = change_count + 1 WHERE session_key = ? RETURNING change_count";
    return Number(this.#get(sql, sessionKey)?.change_count);
  }

  #insertSteer(steer: SteerRequest, batch: Omit<EventBatch, "events">): void {
    const { principal, requestId } = steer;
    // Another request took the id in the same moment: the turn must not fail for it.
    const sql = `INSERT OR IGNORE INTO requests (principal, request_id, turn_id, session_id, sent_session_id, fingerprint, sequence)
      VALUES (?, ?, ?, '', '', ?, ?)`;
    const print = steerFingerprint(steer);
    this.#run(sql, principal, requestId, batch.turnId, print, batch.firstSequence);
  }

  findSteer(turnId: string, steer: SteerRequest): number | undefined {
    const request = this.#findRequest(steer.principal, steer.requestId);
    if (request === undefined) return undefined;
    if (forgetTimeOf(request) !== undefined) throw notFound("turn");
    const same =
      request.sequence !== null &&
      request.turn_id === turnId &&
      steerFingerprint(steer).equals(request.fingerprint as Uint8Array);
    if (!same) throw requestIdReused("turn or message");
    return Number(request.sequence);
  }

  recordProcess({ processId, sessionKey, workspace }: LeftProcess): void {
    const sql =
      "INSERT OR REPLACE INTO processes (process_id, session_key, workspace) VALUES (?, ?, ?)";
    this.#run(sql, processId, sessionKey, workspace);
  }

  recordProcessGone(processId: string): void {
    this.#run("DELETE FROM processes WHERE process_id = ?", processId);
  }

  readEvents(turnId: string, afterSequence: number, maxBytes: number): PackedEvents {
    const sql = `SELECT sequence, event FROM events WHERE turn_key = (SELECT turn_key ${TURN_ON_RECORD})
      AND sequence > ? ORDER BY sequence`;
    const events: Uint8Array[] = [];
    let bytes = 0;
    for (const row of this.#statements.prepare(sql).iterate(turnId, afterSequence)) {
      const expected = afterSequence + events.length + 1;
      if (row.sequence !== expected) {
        if (events.length > 0) break;
        throw eventMissing(expected, Number(row.sequence));
      }
      const event = row.event as Uint8Array;
      events.push(event);
      bytes += event.length;
      if (bytes >= maxBytes) break;
    }
    return packEvents(events);
  }

  getTurn(turnId: string, principal: string, asApprover = false): TurnRecord {
    const row = this.#get(`SELECT turns.*, sessions.session_id ${TURN_ON_RECORD}`, turnId);
    const isVisible =
      row?.principal === principal || (asApprover && row?.permission_mode === PermissionMode.ASK);
    if (row === undefined || !isVisible) throw notFound("turn");
    return turnOf(row);
  }

  listTurns(
    sessionId: string,
    principal: string,
    pageSize: number,
    after: number | undefined,
  ): Page<TurnRecord, number> {
    const { sessionKey } = this.getSession(sessionId, principal);
    const sql = `SELECT ${LISTED_COLUMNS} FROM turns
      WHERE session_key = ? AND turn_key < ? AND remove_time IS NULL ORDER BY turn_key DESC`;
    const items: TurnRecord[] = [];
    let bytes = 0;
    let last: number | undefined;
    for (const row of this.#statements
      .prepare(sql)
      .iterate(sessionKey, after ?? Number.MAX_SAFE_INTEGER)) {
      if (items.length >= pageSize || bytes > LIST_BYTES) return { items, next: last };
      const turn = turnOf({ ...row, session_id: sessionId }, LISTED_PROMPT_BYTES);
      items.push(turn);
      bytes += listedBytes(turn);
      last = Number(row.turn_key);
    }
    return { items, next: undefined };
  }

  listChanges(
    sessionId: string,
    principal: string,
    afterCursor: number,
    limit: number,
    ofKey?: string,
  ): SessionChange[] {
    const { sessionKey, changeCount } = this.getSession(sessionId, principal);
    if (ofKey !== undefined && ofKey !== sessionKey) throw notFound("session");
    if (afterCursor > changeCount) {
      const message = `after_cursor is past the session's last change, ${changeCount}`;
      const metadata = { last_cursor: String(changeCount) };
      throw new Refusal("OUT_OF_RANGE", message, { metadata });
    }
    const from = (kind: "start" | "end") => `SELECT * FROM (
      SELECT '${kind}ed' AS kind, ${kind}_change AS cursor, ${LISTED_COLUMNS} FROM turns
      WHERE session_key = ?1 AND ${kind}_change > ?2 AND remove_time IS NULL ORDER BY ${kind}_change LIMIT ?3)`;
    const sql = `${from("start")} UNION ALL ${from("end")} ORDER BY cursor LIMIT ?3`;
    const changes: SessionChange[] = [];
    let bytes = 0;
    for (const row of this.#statements.prepare(sql).iterate(sessionKey, afterCursor, limit)) {
      const turn = turnOf({ ...row, session_id: sessionId }, LISTED_PROMPT_BYTES);
      const kind = row.kind === "ended" ? "ended" : "started";
      changes.push({ cursor: Number(row.cursor), kind, turn });
      bytes += listedBytes(turn);
      if (bytes > LIST_BYTES) break;
    }
    return changes;
  }

  getSession(sessionId: string, principal: string): SessionRecord {
    const session = this.#findSession(sessionId, principal);
    if (session === undefined) throw notFound("session");
    return session;
  }

  listSessions(
    principal: string,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Page<SessionRecord, SessionPlace> {
    const sql = `SELECT * FROM sessions
      WHERE principal = ? AND (last_active_time, session_id) < (?, ?) AND remove_time IS NULL
      ORDER BY last_active_time DESC, session_id DESC LIMIT ?`;
    const from = after ?? { lastActiveTime: Number.MAX_SAFE_INTEGER, sessionId: "" };
    const found = this.#statements
      .all(sql, principal, from.lastActiveTime, from.sessionId, pageSize + 1)
      .map(sessionOf);
    const items = found.slice(0, pageSize);
    return { items, next: found.length > pageSize ? items.at(-1) : undefined };
  }

  deleteSession(sessionId: string, principal: string, time: number): RemovedSession {
    const session = this.getSession(sessionId, principal);
    const unended = session.queuedTurnId || session.runningTurnId;
    if (unended !== "") throw turnInProgress(unended);
    this.#forgetRequests(time);
    return this.#removeSession(session, time);
  }

  removeEndedTurns(before: number, limit: number, time: number): RemovedTurns {
    const sql = `SELECT turn_key, session_key FROM turns
      WHERE end_time < ? AND remove_time IS NULL ORDER BY end_time LIMIT ?`;
    const old = this.#statements.all(sql, before, limit);
    for (const turn of old) {
      this.#run("UPDATE turns SET remove_time = ? WHERE turn_key = ?", time, Number(turn.turn_key));
      const count = "UPDATE sessions SET turn_count = turn_count - 1 WHERE session_key = ?";
      this.#run(count, String(turn.session_key));
    }
    const sessions: RemovedSession[] = [];
    for (const sessionKey of new Set(old.map((turn) => String(turn.session_key)))) {
      const isEmpty =
        "SELECT * FROM sessions WHERE session_key = ? AND turn_count = 0 AND remove_time IS NULL";
      const row = this.#get(isEmpty, sessionKey);
      if (row !== undefined) sessions.push(this.#removeSession(sessionOf(row), time));
    }
    this.#forgetRequests(time);
    return { turns: old.length, sessions };
  }

  removeSome(): boolean {
    return this.#removed.removeSome();
  }

  listRemovals(): RemovedSession[] {
    return this.#statements
      .all("SELECT * FROM sessions WHERE remove_time IS NOT NULL AND files_removed = 0")
      .map((row) => this.#removedOf(sessionOf(row)));
  }

  recordRemoved(workspace: string): void {
    const sql = `UPDATE sessions SET files_removed = 1 WHERE workspace = ? AND remove_time IS NOT NULL
      RETURNING session_key`;
    const row = this.#get(sql, workspace);
    if (row !== undefined) this.#removed.removeSession(String(row.session_key));
  }

  #removeSession(session: SessionRecord, time: number): RemovedSession {
    const sql = "UPDATE sessions SET remove_time = ? WHERE session_key = ?";
    this.#run(sql, time, session.sessionKey);
    return this.#removedOf(session);
  }

  #removedOf({ sessionId, sessionKey, workspace }: SessionRecord): RemovedSession {
    const sql = "SELECT agent_session_id FROM conversations WHERE session_key = ?";
    const rows = this.#statements.all(sql, sessionKey);
    const agentSessionIds = rows.map((row) => String(row.agent_session_id));
    return { sessionId, sessionKey, workspace, agentSessionIds };
  }

  #forgetRequests(time: number): void {
    const sql = `DELETE FROM requests WHERE (principal, request_id) IN
      (SELECT principal, request_id FROM requests WHERE forget_time < ? LIMIT ${FORGOTTEN_AT_ONCE})`;
    this.#run(sql, time);
  }

  listLeftTurns(): LeftTurn[] {
    const sql = `SELECT turn_id, session_key, sessions.session_id, last_sequence, state
      FROM turns JOIN sessions USING (session_key) WHERE end_time IS NULL ORDER BY turn_key`;
    return this.#statements.all(sql).map((row) => ({
      turnId: String(row.turn_id),
      sessionId: String(row.session_id),
      sessionKey: String(row.session_key),
      lastSequence: Number(row.last_sequence),
      wasQueued: row.state === TurnState.QUEUED,
    }));
  }

  listLeftProcesses(): LeftProcess[] {
    return this.#statements.all("SELECT * FROM processes").map((row) => ({
      processId: String(row.process_id),
      sessionKey: String(row.session_key),
      workspace: String(row.workspace),
    }));
  }

  #findRequested(start: TurnStart): StartedTurn | undefined {
    if (start.requestId === "") return undefined;
    const request = this.#findRequest(start.principal, start.requestId);
    if (request === undefined) return undefined;
    const forgetTime = forgetTimeOf(request);
    if (forgetTime !== undefined) {
      if (forgetTime >= start.time) throw notFound("turn");
      const forget = "DELETE FROM requests WHERE principal = ? AND request_id = ?";
      this.#run(forget, start.principal, start.requestId);
      return undefined;
    }
    const sameSession =
      start.sentSessionId === request.sent_session_id || start.sentSessionId === request.session_id;
    const same = fingerprint(start).equals(request.fingerprint as Uint8Array);
    if (request.sequence !== null || !sameSession || !same) {
      throw requestIdReused("session, prompt, model, agent, permission mode or attachments");
    }
    const turn = this.getTurn(String(request.turn_id), start.principal);
    return { turn, session: this.getSession(turn.sessionId, start.principal), joined: true };
  }

  #findRequest(principal: string, requestId: string) {
    const sql = `SELECT requests.*, coalesce(turns.remove_time, sessions.remove_time) AS remove_time FROM requests
      LEFT JOIN turns USING (turn_id) LEFT JOIN sessions USING (session_key)
      WHERE requests.principal = ? AND request_id = ?`;
    return this.#get(sql, principal, requestId);
  }

  /** A caller's turn waits for one of the agent's own. Everything else that runs or waits is in the way. */
  #stateOf(start: TurnStart, { queuedTurnId, runningTurnId }: SessionRecord): TurnState {
    if (queuedTurnId !== "") throw turnInProgress(queuedTurnId);
    if (runningTurnId === "") return TurnState.RUNNING;
    const running = this.#get("SELECT origin FROM turns WHERE turn_id = ?", runningTurnId);
    const waits = start.origin === TurnOrigin.CALLER && running?.origin === TurnOrigin.AGENT;
    if (!waits) throw turnInProgress(runningTurnId);
    return TurnState.QUEUED;
  }

  #openSession(start: TurnStart): SessionRecord {
    const { principal, time, newSession } = start;
    const { sessionId, agent, model, workspace, agentSessionId } = newSession;
    if (start.origin === TurnOrigin.AGENT) return this.#getSessionOf(sessionId);
    const known = this.#findSession(sessionId, principal);
    if (known !== undefined) return known;
    // Another principal's may have the id, or one that is being removed.
    const isTaken = "SELECT 1 FROM sessions WHERE session_key = ?";
    const sessionKey = this.#get(isTaken, sessionId) === undefined ? sessionId : randomUUID();
    const sql = `INSERT INTO sessions (session_key, session_id, principal, agent, model, workspace, agent_session_id,
      create_time, last_active_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    const opened = [agent, model, workspace, agentSessionId, time, time];
    this.#run(sql, sessionKey, sessionId, principal, ...opened);
    const own = "INSERT INTO conversations (agent_session_id, session_key) VALUES (?, ?)";
    this.#run(own, agentSessionId, sessionKey);
    // The process that waits there is the session's from now on.
    this.#run("UPDATE processes SET session_key = ? WHERE workspace = ?", sessionKey, workspace);
    return this.getSession(sessionId, principal);
  }

  #insertTurn(start: TurnStart, session: SessionRecord, state: TurnState): void {
    const { turnId, prompt, requestId, time } = start;
    const { sessionId, sessionKey } = session;
    const insertTurn = `INSERT INTO turns (turn_id, session_key, state, prompt, principal, model, agent, create_time, origin,
      cause_turn_id, permission_mode, attachments, start_change) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    this.#run(
      insertTurn,
      ...[turnId, sessionKey, state, prompt, start.principal || session.principal],
      ...[start.model || session.model, start.agent || session.agent, time],
      ...[start.origin, start.causeTurnId, start.permissionMode],
      ...[JSON.stringify(start.attachments), this.#nextChange(sessionKey)],
    );
    const place = state === TurnState.QUEUED ? "queued_turn_id" : "running_turn_id";
    const touch = `UPDATE sessions SET ${place} = ?, last_active_time = ?, turn_count = turn_count + 1
      WHERE session_key = ?`;
    this.#run(touch, turnId, time, sessionKey);
    if (requestId === "") return;
    const insertRequest = `INSERT INTO requests (principal, request_id, turn_id, session_id, sent_session_id, fingerprint)
      VALUES (?, ?, ?, ?, ?, ?)`;
    const print = fingerprint(start);
    const { principal, sentSessionId } = start;
    this.#run(insertRequest, principal, requestId, turnId, sessionId, sentSessionId, print);
  }

  #findSession(sessionId: string, principal: string): SessionRecord | undefined {
    const sql =
      "SELECT * FROM sessions WHERE principal = ? AND session_id = ? AND remove_time IS NULL";
    const row = this.#get(sql, principal, sessionId);
    return row && sessionOf(row);
  }

  #getSessionOf(sessionKey: string): SessionRecord {
    const sql = "SELECT * FROM sessions WHERE session_key = ? AND remove_time IS NULL";
    const row = this.#get(sql, sessionKey);
    if (row === undefined) throw notFound("session");
    return sessionOf(row);
  }

  #get(sql: string, ...values: Value[]) {
    return this.#statements.get(sql, ...values);
  }

  #run(sql: string, ...values: Value[]): number {
    return this.#statements.run(sql, ...values);
  }
}

/** About what a turn takes in a response, at most. */
function listedBytes({ prompt, attachments }: TurnRecord): number {
  const files = attachments.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(attachments));
  return Buffer.byteLength(prompt) + files + 1024;
}

function turnInProgress(turnId: string): Refusal {
  return new Refusal("TURN_IN_PROGRESS", `turn ${turnId} is running in the session`, {
    metadata: { turn_id: turnId },
  });
}

/** A store that was rescued from damage may lack rows: nobody is to take what follows for what is missing. */
function eventMissing(sequence: number, next: number): Refusal {
  const missing = next - 1 === sequence ? `event ${sequence}` : `events ${sequence} to ${next - 1}`;
  const message = `the store was damaged and lacks ${missing} of the turn: attach after ${next - 1} for what follows`;
  return new Refusal("STORAGE", message, { retryAfterMs: 5000 });
}

function requestIdReused(what: string): Refusal {
  return new Refusal("REQUEST_ID_REUSED", `request_id was used before, with another ${what}`);
}

/** Until when a request is refused whose turn is off the record. Undefined: it is on record. */
function forgetTimeOf(request: Record<string, unknown>): number | undefined {
  const { forget_time, remove_time } = request;
  if (forget_time !== null) return Number(forget_time);
  return remove_time === null ? undefined : Number(remove_time) + REQUEST_KEPT_MS;
}

/** Of a request that names neither a mode nor attachments as it was before there were any. */
function fingerprint(start: TurnStart): Buffer {
  const { prompt, model, agent, sentPermissionMode, attachmentsDigest } = start;
  const isPlain = sentPermissionMode === PermissionMode.UNSPECIFIED && attachmentsDigest === "";
  const further = isPlain ? [] : [sentPermissionMode, attachmentsDigest];
  return digestOf([prompt, model, agent, ...further]);
}

function steerFingerprint({ message }: SteerRequest): Buffer {
  return digestOf(["steer", message]);
}

function digestOf(compared: readonly unknown[]): Buffer {
  return createHash("sha256").update(JSON.stringify(compared)).digest();
}
