import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { Refusal } from "../errors.ts";
import type { Page, SessionPlace, SessionRecord, TurnRecord, TurnStart } from "../store/store.ts";
import { encodeEvents } from "./encoded-event.ts";
import { newId, newTurnId } from "./identifiers.ts";
import { RunningTurn, type TurnLimits, type TurnSurroundings } from "./running-turn.ts";
import { SessionGates } from "./session-gates.ts";
import { type StreamPiece, subscribe } from "./subscription.ts";
import { endStateOf, errorEvent } from "./turn-end.ts";

/** What a caller asks to run; validated. */
export interface RunRequest {
  /** Empty: a new session. */
  readonly sessionId: string;
  readonly prompt: string;
  /** Empty: the session's. */
  readonly model: string;
  /** Empty: the session's. */
  readonly agent: string;
  /** Empty: the start is not idempotent. */
  readonly requestId: string;
  /** Undefined: the server's limit, which caps it too. */
  readonly timeoutMs: number | undefined;
}

/** What turns are run within. */
export interface TurnsOptions extends TurnSurroundings {
  readonly limits: TurnLimits;
  readonly maxConcurrentTurns: number;
  readonly maxSubscriptions: number;
  /** The agent definition and the model of sessions that name none. */
  readonly defaults: { readonly agent: string; readonly model: string };
  /** Where new sessions get their workspaces. */
  readonly sessionsDir: string;
}

/**
 * All sessions and turns: what runs, and what is on record.
 *
 * 1. A turn is on record before anything is spawned for it.
 * 2. `#running` holds every turn that has no terminal event on disk.
 * 3. No agent is started in a session before the processes of its turn before are gone.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #running = new Map<string, RunningTurn>();
  readonly #gates = new SessionGates();
  #starting = 0;
  #subscriptions = 0;
  #draining = false;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** How many readers there are now. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  /**
   * Starts a turn, or finds the one that the same request started before.
   *
   * @throws Refusal as `Store.createTurn`.
   */
  async run(request: RunRequest, principal: string): Promise<TurnRecord> {
    const start = this.#startOf(request, principal);
    this.#starting++;
    try {
      const { turn, session, joined } = await this.#options.store.createTurn(start);
      if (!joined) this.#begin(turn, session, start.processId, request.timeoutMs);
      return turn;
    } finally {
      this.#starting--;
    }
  }

  /**
   * Reads a turn; see `subscribe`. The reader counts until the generator ends or `signal` aborts, whichever is first.
   *
   * @throws Refusal NOT_FOUND, OUT_OF_RANGE or TOO_MANY_SUBSCRIPTIONS.
   */
  async *subscribe(
    turnId: string,
    afterSequence: number,
    principal: string,
    signal: AbortSignal,
  ): AsyncGenerator<StreamPiece> {
    const turn = await this.#find(turnId, principal);
    const last = turn.running?.lastSequence ?? turn.record.lastSequence;
    if (afterSequence > last) {
      throw new Refusal("OUT_OF_RANGE", `after_sequence is past the turn's last event, ${last}`, {
        metadata: { last_sequence: String(last) },
      });
    }
    const release = this.#countSubscription(signal);
    try {
      yield* subscribe(turn, this.#options.store, afterSequence, signal);
    } finally {
      release();
    }
  }

  /** Ends a turn if it runs, and answers with it as it ended. */
  async cancel(turnId: string, principal: string): Promise<TurnRecord> {
    const { running } = await this.#find(turnId, principal);
    await running?.stop({ reason: ErrorReason.CANCELED, message: "canceled by CancelTurn" });
    return this.getTurn(turnId, principal);
  }

  getTurn(turnId: string, principal: string): Promise<TurnRecord> {
    return this.#options.store.getTurn(turnId, principal);
  }

  listTurns(
    sessionId: string,
    principal: string,
    pageSize: number,
    after: number | undefined,
  ): Promise<Page<TurnRecord, number>> {
    return this.#options.store.listTurns(sessionId, principal, pageSize, after);
  }

  getSession(sessionId: string, principal: string): Promise<SessionRecord> {
    return this.#options.store.getSession(sessionId, principal);
  }

  listSessions(
    principal: string,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Promise<Page<SessionRecord, SessionPlace>> {
    return this.#options.store.listSessions(principal, pageSize, after);
  }

  /** Removes a session, its turns, its workspace and what the agent kept of it. */
  async deleteSession(sessionId: string, principal: string): Promise<void> {
    const { store, agent, log } = this.#options;
    const session = await store.deleteSession(sessionId, principal, Date.now());
    // The last turn's processes may still be ending, and write.
    await this.#gates.ready(sessionId);
    try {
      await agent.forget(session.agentSessionId);
      // Never follows a link: where the agent put one in the workspace's place, the link goes.
      await rm(session.workspace, { recursive: true, force: true });
    } catch (error) {
      log.error("a deleted session left files behind", { workspace: session.workspace, error });
    }
  }

  /**
   * Takes over what a server before this one left: turns that were running end LOST, their processes are ended. Resolves
   * when the turns have ended on record; the processes are ended meanwhile, and their sessions wait for it.
   */
  async recover(): Promise<void> {
    const left = await this.#options.store.listLeftTurns();
    await Promise.all(left.filter((turn) => turn.running).map((turn) => this.#appendLost(turn)));
    const gone = this.#options.agent.endProcesses(left.map((turn) => turn.processId));
    for (const turn of left) {
      const recorded = gone.then(() => this.#options.store.recordProcessesGone(turn.turnId));
      this.#gates.close(
        turn.sessionId,
        recorded.catch(() => {}),
      );
    }
  }

  /** Takes no new turns, ends the running ones LOST, and resolves when no process of any turn is left. Idempotent. */
  async drain(): Promise<void> {
    this.#draining = true;
    const end = { reason: ErrorReason.SERVER_SHUTDOWN, message: "the server was shut down" };
    const running = [...this.#running.values()];
    await Promise.all(running.map((turn) => Promise.race([turn.stop(end), storageLost(turn)])));
    await this.#gates.allReady();
  }

  #startOf(request: RunRequest, principal: string): TurnStart {
    const { defaults, sessionsDir } = this.#options;
    const { sessionId, prompt, model, agent, requestId } = request;
    const refusal = this.#refusal();
    return {
      turnId: newTurnId(),
      processId: newId(),
      principal,
      prompt,
      model,
      agent,
      sentSessionId: sessionId,
      requestId,
      time: Date.now(),
      newSession: {
        sessionId: sessionId || newId(),
        agent: agent || defaults.agent,
        model: model || defaults.model,
        workspace: join(sessionsDir, newId()),
        agentSessionId: newId(),
      },
      ...(refusal === undefined ? {} : { refusal }),
    };
  }

  #refusal(): TurnStart["refusal"] {
    if (this.#draining) return { reason: "DRAINING", message: "the server is shutting down" };
    const { maxConcurrentTurns } = this.#options;
    if (this.#running.size + this.#starting < maxConcurrentTurns) return undefined;
    const message = `${maxConcurrentTurns} turns are running, the server's limit`;
    return { reason: "TOO_MANY_TURNS", message };
  }

  #begin(
    turn: TurnRecord,
    session: SessionRecord,
    processId: string,
    timeoutMs: number | undefined,
  ): void {
    const { limits } = this.#options;
    const bounded = { ...limits, timeoutMs: Math.min(timeoutMs ?? Infinity, limits.timeoutMs) };
    const ready = this.#gates.ready(turn.sessionId);
    const running = new RunningTurn(turn, session, processId, bounded, this.#options, ready);
    this.#running.set(turn.turnId, running);
    this.#gates.close(turn.sessionId, running.gone);
    void running.ended.then(() => this.#running.delete(turn.turnId));
    // A turn that was recorded while the server began to drain is ended like those before it.
    if (this.#draining) void this.drain();
  }

  /** A turn on record, and as it runs; never one that is neither running nor ended. */
  async #find(turnId: string, principal: string) {
    const record = await this.getTurn(turnId, principal);
    const running = this.#running.get(turnId);
    if (running !== undefined || record.state !== TurnState.RUNNING) return { record, running };
    // It ended, or began, while the store was asked.
    return { record: await this.getTurn(turnId, principal), running: this.#running.get(turnId) };
  }

  #countSubscription(signal: AbortSignal): () => void {
    if (this.#subscriptions >= this.#options.maxSubscriptions) {
      const message = `${this.#options.maxSubscriptions} streams are open, the server's limit`;
      throw new Refusal("TOO_MANY_SUBSCRIPTIONS", message, { retryAfterMs: 1000 });
    }
    this.#subscriptions++;
    let counted = true;
    const release = () => {
      if (counted) this.#subscriptions--;
      counted = false;
    };
    // The generator's own end does not come where a client vanishes while a write is blocked (measured over HTTP/2).
    signal.addEventListener("abort", release, { once: true });
    return release;
  }

  async #appendLost(turn: { turnId: string; sessionId: string; lastSequence: number }) {
    const message =
      "the server ended while the turn ran; what it had done until then is done, and the session can go on";
    const kind = errorEvent({ reason: ErrorReason.SERVER_RESTARTED, message });
    const time = Date.now();
    const firstSequence = turn.lastSequence + 1;
    const events = encodeEvents(turn, firstSequence, time, [kind]);
    const { turnId } = turn;
    await this.#options.store.append({
      turnId,
      firstSequence,
      events,
      time,
      end: endStateOf(kind),
    });
  }
}

/** A turn whose end cannot be recorded is not waited for: the next start records it. */
async function storageLost(turn: RunningTurn): Promise<void> {
  while (turn.failure === undefined) await turn.changed;
  await turn.gone;
}
