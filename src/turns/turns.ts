import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { Refusal } from "../errors.ts";
import type {
  Page,
  RemovedSession,
  SessionPlace,
  SessionRecord,
  TurnRecord,
  TurnStart,
} from "../store/store.ts";
import { newId, newTurnId } from "./identifiers.ts";
import { LeftTurn } from "./left-turn.ts";
import { untilFailed } from "./live-turn.ts";
import { Removals } from "./removals.ts";
import { retain } from "./retention.ts";
import { RunningTurn, type TurnLimits, type TurnSurroundings } from "./running-turn.ts";
import { SessionGates } from "./session-gates.ts";
import { Subscription } from "./subscription.ts";
import { SubscriptionCounts, type SubscriptionLimits } from "./subscription-counts.ts";
import { TailShares } from "./tail.ts";
import type { TurnEnd } from "./turn-end.ts";

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
export interface TurnsOptions extends Omit<TurnSurroundings, "tails">, SubscriptionLimits {
  readonly limits: TurnLimits;
  readonly maxConcurrentTurns: number;
  /** The turns that a session may have on record. */
  readonly maxSessionTurns: number;
  /** The age at which ended turns are removed, from their end. 0: they are kept. */
  readonly retentionMs: number;
  /** The agent definition and the model of sessions that name none. */
  readonly defaults: { readonly agent: string; readonly model: string };
  /** Where new sessions get their workspaces. */
  readonly sessionsDir: string;
}

/** `draining` lets running turns go on for a while; `stopping` ends them. Neither takes new ones. */
type Phase = "open" | "draining" | "stopping";

/** A turn without a terminal event on disk: one that runs, or one that a server before left. */
type UnendedTurn = RunningTurn | LeftTurn;

const SHUTDOWN: TurnEnd = {
  reason: ErrorReason.SERVER_SHUTDOWN,
  message: "the server was shut down",
};

/**
 * All sessions and turns: what runs, and what is on record.
 *
 * 1. A turn is on record before anything is spawned for it.
 * 2. `#unended` holds every turn that has no terminal event on disk.
 * 3. No agent is started in a session before the processes of its turn before are gone.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #unended = new Map<string, UnendedTurn>();
  readonly #gates = new SessionGates();
  readonly #subscriptions: SubscriptionCounts;
  readonly #tails = new TailShares();
  readonly #removals: Removals;
  readonly #closing = new AbortController();
  /** Turns that are being recorded. */
  readonly #starting = new Set<Promise<unknown>>();
  #phase: Phase = "open";

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#subscriptions = new SubscriptionCounts(options);
    this.#removals = new Removals(options, this.#gates);
  }

  /** How many readers there are now. */
  get subscriptions(): number {
    return this.#subscriptions.all;
  }

  /**
   * Starts a turn, or finds the one that the same request started before.
   *
   * @throws Refusal as `Store.createTurn`.
   */
  async run(request: RunRequest, principal: string): Promise<TurnRecord> {
    const start = this.#startOf(request, principal);
    const created = this.#options.store.createTurn(start);
    this.#starting.add(created);
    try {
      const { turn, session, joined } = await created;
      if (!joined) this.#begin(turn, session, start.processId, request.timeoutMs);
      return turn;
    } finally {
      this.#starting.delete(created);
    }
  }

  /**
   * Prepares to read a turn. The reader counts until `signal` aborts or `released` is called, whichever is first.
   *
   * @throws Refusal NOT_FOUND, OUT_OF_RANGE or TOO_MANY_SUBSCRIPTIONS.
   */
  async subscribe(
    turnId: string,
    afterSequence: number,
    principal: string,
    signal: AbortSignal,
  ): Promise<{ subscription: Subscription; released: () => void }> {
    const turn = await this.#find(turnId, principal);
    const last = turn.live?.lastSequence ?? turn.record.lastSequence;
    if (afterSequence > last) {
      throw new Refusal("OUT_OF_RANGE", `after_sequence is past the turn's last event, ${last}`, {
        metadata: { last_sequence: String(last) },
      });
    }
    const released = this.#subscriptions.add(turnId, signal);
    const { store } = this.#options;
    return { subscription: new Subscription(turn, store, afterSequence, signal), released };
  }

  /**
   * Ends a turn if it runs, and answers with it as it ended.
   *
   * @throws Refusal NOT_FOUND; STORAGE where the turn was stopped but its end cannot be recorded yet.
   */
  async cancel(turnId: string, principal: string): Promise<TurnRecord> {
    const { live } = await this.#find(turnId, principal);
    if (live !== undefined) {
      const ended = live.stop({ reason: ErrorReason.CANCELED, message: "canceled by CancelTurn" });
      await Promise.race([ended, untilFailed(live)]);
      if (live.state === TurnState.RUNNING && live.failure !== undefined) throw live.failure;
    }
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
    const { store } = this.#options;
    const { runningTurnId } = await store.getSession(sessionId, principal);
    // A start after a crash looks for the processes of turns on record only.
    if (runningTurnId === "") await this.#gates.ready(sessionId);
    await this.#removals.remove(await store.deleteSession(sessionId, principal, Date.now()));
  }

  /**
   * Takes over what a server before this one left: turns that were running end LOST, their processes are ended. Resolves
   * when the store has been asked to record the ends; where it does not take them they are recorded when it does. The
   * processes are ended meanwhile, and their sessions wait for it. From then on turns are removed when they are old enough.
   *
   * @throws Refusal STORAGE where the store cannot even be read.
   */
  async recover(): Promise<void> {
    const { store, agent, log } = this.#options;
    const left = await store.listLeftTurns();
    const unended = left
      .filter((turn) => turn.running)
      .map((turn) => new LeftTurn(turn, store, log));
    for (const turn of unended) this.#hold(turn);
    for (const turn of left) {
      const gone = agent.endProcesses(turn.processId);
      const recorded = gone.then(() => store.recordProcessesGone(turn.turnId));
      this.#gates.close(
        turn.sessionId,
        recorded.catch(() => {}),
      );
    }
    void this.#removals.recover().then(() => this.#retain());
    await Promise.all(unended.map((turn) => turn.tried));
  }

  /**
   * Takes no new turns, gives the running ones `graceMs` to end by themselves, ends the others LOST, and resolves when no
   * process of any turn is left. Idempotent; a later call can only shorten the grace.
   */
  async drain(graceMs: number): Promise<void> {
    if (this.#phase === "open") this.#phase = "draining";
    this.#closing.abort();
    const grace = new AbortController();
    const over = delay(graceMs, undefined, { signal: grace.signal }).catch(() => {});
    await Promise.race([over, this.#allEnded()]);
    grace.abort();
    this.#phase = "stopping";
    for (const turn of this.#unended.values()) void turn.stop(SHUTDOWN);
    await this.#allEnded();
    await this.#gates.allReady();
  }

  /** Kills the agents of the running turns without waiting; the next start records how they ended. */
  killNow(): void {
    this.#options.agent.killNow();
  }

  /** Resolves when no turn is recorded any more and each has ended, but for those whose end the store does not take. */
  async #allEnded(): Promise<void> {
    const failed = new Set<UnendedTurn>();
    for (;;) {
      await Promise.allSettled(this.#starting);
      const waiting = [...this.#unended.values()].filter((turn) => !failed.has(turn));
      if (waiting.length === 0) return;
      const unrecorded = (turn: UnendedTurn) => untilFailed(turn).then(() => void failed.add(turn));
      await Promise.all(waiting.map((turn) => Promise.race([turn.ended, unrecorded(turn)])));
    }
  }

  #retain(): Promise<void> {
    const { store, retentionMs, log } = this.#options;
    const remove = (session: RemovedSession) => this.#removals.remove(session);
    return retain(store, retentionMs, remove, log, this.#closing.signal);
  }

  #startOf(request: RunRequest, principal: string): TurnStart {
    const { defaults, sessionsDir, maxSessionTurns } = this.#options;
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
      maxSessionTurns,
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
    if (this.#phase !== "open")
      return { reason: "DRAINING", message: "the server is shutting down" };
    const { maxConcurrentTurns } = this.#options;
    if (this.#unended.size + this.#starting.size < maxConcurrentTurns) return undefined;
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
    const surroundings = { ...this.#options, tails: this.#tails };
    const running = new RunningTurn(turn, session, processId, bounded, surroundings, ready);
    this.#hold(running);
    this.#gates.close(turn.sessionId, running.gone);
    // It was being recorded when the others were stopped.
    if (this.#phase === "stopping") void running.stop(SHUTDOWN);
  }

  #hold(turn: UnendedTurn): void {
    this.#unended.set(turn.turnId, turn);
    void turn.ended.then(() => this.#unended.delete(turn.turnId));
  }

  /** A turn on record, and as it runs; never one that is neither running nor ended. */
  async #find(turnId: string, principal: string) {
    const record = await this.getTurn(turnId, principal);
    const live = this.#unended.get(turnId);
    if (live !== undefined || record.state !== TurnState.RUNNING) return { record, live };
    // It ended, or began, while the store was asked.
    return { record: await this.getTurn(turnId, principal), live: this.#unended.get(turnId) };
  }
}
