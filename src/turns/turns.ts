import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import type { OwnWork } from "../agent/agent.ts";
import { Refusal } from "../errors.ts";
import type {
  LeftProcess,
  Page,
  SessionPlace,
  SessionRecord,
  StartedTurn,
  TurnRecord,
  TurnStart,
} from "../store/store.ts";
import { isLive } from "../turn-state.ts";
import { refusalOfLateAnswer, turnEnded } from "./approvals.ts";
import { attachmentsDigest } from "./attachments.ts";
import { newId, newTurnId } from "./identifiers.ts";
import { LeftTurn } from "./left-turn.ts";
import { untilFailed } from "./live-turn.ts";
import { makeWay } from "./make-way.ts";
import { Removals } from "./removals.ts";
import { retain } from "./retention.ts";
import {
  RunningTurn,
  type TurnBeginning,
  type TurnLimits,
  type TurnSurroundings,
} from "./running-turn.ts";
import { SessionGates } from "./session-gates.ts";
import { SessionBell, type SessionNews, watchSession } from "./session-watch.ts";
import { SharedReads } from "./shared-reads.ts";
import { type ReadFrom, Subscription } from "./subscription.ts";
import {
  type ReaderPlace,
  SubscriptionCounts,
  type SubscriptionLimits,
} from "./subscription-counts.ts";
import { TailShares } from "./tail.ts";
import type { TurnEnd } from "./turn-end.ts";
import type { ApprovalResolution, RunRequest, SteerTurn } from "./turn-requests.ts";
import { callerStart, modeOf, ownStart, type StartPolicy } from "./turn-start.ts";

/** What turns are run within. */
export interface TurnsOptions
  extends Omit<TurnSurroundings, "tails">,
    SubscriptionLimits,
    StartPolicy {
  readonly limits: TurnLimits;
  readonly maxConcurrentTurns: number;
  /** The age at which ended turns are removed, from their end. 0: they are kept. */
  readonly retentionMs: number;
  /** Principals who see and answer for every turn in the mode ASK. */
  readonly approvers: readonly string[];
  /** Whether who runs a turn may answer for it. */
  readonly selfApproval: "allowed" | "forbidden";
}

/** `draining` lets running turns go on for a while; `stopping` ends them. Neither takes new ones. */
type Phase = "open" | "draining" | "stopping";

/** A turn without a terminal event on disk: one that runs, or one that a server before left. */
type UnendedTurn = RunningTurn | LeftTurn;

const DRAINING = { reason: "DRAINING", message: "the server is shutting down" } as const;
/** How long a deletion is waited for; it goes on behind the answer. */
const DELETION_MS = 10_000;
const SHUTDOWN: TurnEnd = {
  reason: ErrorReason.SERVER_SHUTDOWN,
  message: "the server was shut down",
};

/**
 * All sessions and turns: what runs, and what is on record.
 *
 * 1. A turn is on record before anything is spawned for it.
 * 2. `#unended` holds every turn that has no terminal event on disk.
 * 3. No agent is started in a session before it has let go of the session's turn before.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #unended = new Map<string, UnendedTurn>();
  readonly #gates = new SessionGates();
  readonly #subscriptions: SubscriptionCounts;
  readonly #tails = new TailShares();
  readonly #removals: Removals;
  readonly #closing = new AbortController();
  readonly #bell = new SessionBell();
  /** Turns that are being recorded. */
  readonly #starting = new Set<Promise<unknown>>();
  /** Messages that are being recorded, by principal and request. */
  readonly #steering = new Map<string, Promise<{ sequence: number; turn: TurnRecord }>>();
  /** The agent's own work that is being recorded, by session: one piece after the other. */
  readonly #takingUp = new Map<string, Promise<void>>();
  readonly #reads: SharedReads;
  #phase: Phase = "open";

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#subscriptions = new SubscriptionCounts(options);
    this.#reads = new SharedReads(options.store);
    this.#removals = new Removals(options, this.#gates, this.#closing.signal);
    options.agent.onOwnWork((work) => this.#takeOwnWork(work));
  }

  /** How many readers there are now. */
  get subscriptions(): number {
    return this.#subscriptions.all;
  }

  /**
   * Starts a turn, or finds the one that the same request started before.
   *
   * @throws Refusal as `Store.createTurn`; BYPASS_FORBIDDEN.
   */
  async run(request: RunRequest, principal: string): Promise<TurnRecord> {
    const { agent, defaults, permissionMode } = this.#options;
    const digest = await attachmentsDigest(request.attachments);
    const spare = agent.reserve(
      request.agent || defaults.agent,
      request.model || defaults.model,
      modeOf(request.permissionMode, permissionMode),
    );
    let session: SessionRecord | undefined;
    try {
      const created = await this.#create(
        callerStart(request, principal, this.#options, spare, digest, this.#refusal()),
      );
      session = created.session;
      if (!created.joined) this.#beginAsked(created, request);
      return created.turn;
    } finally {
      // A session that was opened in its place keeps it for its first turn.
      if (session?.agentSessionId !== spare?.agentSessionId) spare?.release();
    }
  }

  /**
   * Gives the reader of a turn that is yet to be started its place: who started it is not refused to read it.
   *
   * @throws Refusal TOO_MANY_SUBSCRIPTIONS.
   */
  holdReader(signal: AbortSignal): ReaderPlace {
    return this.#subscriptions.hold(signal);
  }

  /**
   * Prepares to read a turn. The reader counts until `signal` aborts or `released` is called, whichever is first.
   *
   * @param place - What `holdReader` gave it; released where this throws.
   * @throws Refusal NOT_FOUND, OUT_OF_RANGE or TOO_MANY_SUBSCRIPTIONS.
   */
  async subscribe(
    turnId: string,
    from: ReadFrom,
    principal: string,
    signal: AbortSignal,
    place?: ReaderPlace,
  ): Promise<{ subscription: Subscription; released: () => void }> {
    try {
      const turn = await this.#find(turnId, principal, this.#isApprover(principal));
      const last = turn.live?.lastSequence ?? turn.record.lastSequence;
      if (from.afterSequence > last) {
        throw new Refusal("OUT_OF_RANGE", `after_sequence is past the turn's last event, ${last}`, {
          metadata: { last_sequence: String(last) },
        });
      }
      const { release: released } = this.#subscriptions.add(turnId, signal, place);
      return { subscription: new Subscription(turn, this.#reads, from, signal), released };
    } catch (error) {
      place?.release();
      throw error;
    }
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
      if (isLive(live.state) && live.failure !== undefined) throw live.failure;
    }
    return this.getTurn(turnId, principal);
  }

  /**
   * Has the agent stop what it does in a turn if it runs, and answers with it as it ended.
   *
   * @throws Refusal NOT_FOUND; INTERRUPT_NOT_OBEYED; STORAGE as `cancel`.
   */
  async interrupt(turnId: string, principal: string): Promise<TurnRecord> {
    const { live } = await this.#find(turnId, principal);
    if (live !== undefined) {
      await Promise.race([live.interrupt(), untilFailed(live)]);
      if (isLive(live.state) && live.failure !== undefined) throw live.failure;
    }
    return this.getTurn(turnId, principal);
  }

  /**
   * Hands a running turn a message, or finds what the same request became before. Answers with the sequence of its event.
   *
   * @throws Refusal NOT_FOUND, REQUEST_ID_REUSED, TURN_ENDED or STORAGE.
   */
  steer(request: SteerTurn, principal: string): Promise<{ sequence: number; turn: TurnRecord }> {
    if (request.requestId === "") return this.#steer(request, principal);
    const key = JSON.stringify([principal, request.requestId]);
    const before = this.#steering.get(key) ?? Promise.resolve();
    // The same request at the same moment finds what the first became.
    const steered = before.then(
      () => this.#steer(request, principal),
      () => this.#steer(request, principal),
    );
    this.#steering.set(key, steered);
    const forget = () => {
      if (this.#steering.get(key) === steered) this.#steering.delete(key);
    };
    steered.then(forget, forget);
    return steered;
  }

  async #steer({ turnId, message, requestId }: SteerTurn, principal: string) {
    const { live } = await this.#find(turnId, principal);
    const request = { principal, requestId, message };
    const known =
      requestId === "" ? undefined : await this.#options.store.findSteer(turnId, request);
    if (known === undefined && !(live instanceof RunningTurn)) throw turnEnded();
    const sequence = known ?? (await (live as RunningTurn).steer(request));
    return { sequence, turn: await this.getTurn(turnId, principal) };
  }

  /**
   * Answers an approval that a turn asks for.
   *
   * @throws Refusal NOT_FOUND, SELF_APPROVAL_FORBIDDEN, APPROVAL_NOT_FOUND, APPROVAL_RESOLVED, APPROVAL_EXPIRED,
   * TURN_ENDED or STORAGE.
   */
  async resolveApproval(resolution: ApprovalResolution, principal: string): Promise<TurnRecord> {
    const { turnId, approvalId, answer } = resolution;
    const asApprover = this.#isApprover(principal);
    const { record, live } = await this.#find(turnId, principal, asApprover);
    if (this.#options.selfApproval === "forbidden" && record.principal === principal) {
      const message = "who runs a turn does not answer for it here: ask an approver";
      throw new Refusal("SELF_APPROVAL_FORBIDDEN", message);
    }
    if (live instanceof RunningTurn) await live.resolveApproval(approvalId, answer, principal);
    else throw await refusalOfLateAnswer(this.#options.store, record, approvalId);
    return this.getTurn(turnId, principal);
  }

  /**
   * Tells each change of a session from after a cursor on. Counts as a reader until `signal` aborts or it is left.
   *
   * @throws Refusal NOT_FOUND, also where the session is deleted meanwhile, and opened again under its id; OUT_OF_RANGE;
   * TOO_MANY_SUBSCRIPTIONS.
   */
  async *watch(
    sessionId: string,
    afterCursor: number,
    principal: string,
    signal: AbortSignal,
  ): AsyncGenerator<SessionNews> {
    const { store } = this.#options;
    const session = await store.getSession(sessionId, principal);
    const { release: released } = this.#subscriptions.add(session.sessionKey, signal);
    try {
      yield* watchSession(store, this.#bell, session, afterCursor, signal);
    } finally {
      released();
    }
  }

  getTurn(turnId: string, principal: string): Promise<TurnRecord> {
    return this.#options.store.getTurn(turnId, principal, this.#isApprover(principal));
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

  /**
   * Removes a session, its turns, its workspace and what the agent kept of it. From the beginning on nothing finds it.
   * Answers within 10 s or so whether nothing is left of it: else the removal goes on, or the log says what is in its way.
   */
  async deleteSession(sessionId: string, principal: string): Promise<boolean> {
    const { store } = this.#options;
    const removed = await store.deleteSession(sessionId, principal, Date.now());
    this.#bell.ring(removed.sessionKey);
    const over = new AbortController();
    const late = delay(DELETION_MS, false, { signal: over.signal, ref: false });
    const gone = await Promise.race([this.#removals.remove(removed), late.catch(() => false)]);
    over.abort();
    return gone;
  }

  /**
   * Takes over what a server before this one left: turns that were running end LOST, their processes are ended. Resolves
   * when the store has been asked to record the ends; where it does not take them they are recorded when it does. The
   * processes are ended meanwhile, and their sessions wait for it. From then on turns are removed when they are old enough.
   *
   * @throws Refusal STORAGE where the store cannot even be read.
   */
  async recover(): Promise<void> {
    const { store, agent, log, sessionsDir } = this.#options;
    const left = (await store.listLeftTurns()).map((turn) => new LeftTurn(turn, store, log));
    for (const turn of left) this.#hold(turn);
    for (const process of await store.listLeftProcesses()) {
      this.#gates.close(process.sessionKey, this.#endProcess(process));
    }
    void this.#removals.recover();
    void this.#retain();
    await Promise.all(left.map((turn) => turn.tried));
    agent.prepare(async () => {
      const workspace = join(sessionsDir, newId());
      await mkdir(workspace, { mode: 0o700 });
      return workspace;
    });
  }

  /** Never rejects: what is not recorded is looked for by the next start. */
  async #endProcess({ processId, sessionKey, workspace }: LeftProcess): Promise<void> {
    const { store, agent } = this.#options;
    await agent.endProcesses(processId);
    // It waited for a session that was never opened.
    if (sessionKey === "") await this.#removals.removeWorkspace(workspace);
    await store.recordProcessGone(processId).catch(() => {});
  }

  /**
   * Takes no new turns, gives the running ones `graceMs` to end by themselves, ends the others LOST, and resolves when no
   * process of any turn is left. Idempotent; a later call can only shorten the grace.
   */
  async drain(graceMs: number): Promise<void> {
    if (this.#phase === "open") this.#phase = "draining";
    this.#closing.abort();
    const { agent } = this.#options;
    void agent.closeIdle();
    const grace = new AbortController();
    const over = delay(graceMs, undefined, { signal: grace.signal }).catch(() => {});
    await Promise.race([over, this.#allEnded()]);
    grace.abort();
    this.#phase = "stopping";
    for (const turn of this.#unended.values()) void turn.stop(SHUTDOWN);
    await this.#allEnded();
    await Promise.all([this.#gates.allReady(), agent.closeIdle()]);
  }

  /** Kills all agents without waiting; the next start records how their turns ended. */
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
    return retain(store, retentionMs, this.#removals, log, this.#closing.signal);
  }

  async #create(start: TurnStart): Promise<StartedTurn> {
    const created = this.#options.store.createTurn(start);
    this.#starting.add(created);
    try {
      const started = await created;
      if (!started.joined) this.#bell.ring(started.turn.sessionKey);
      return started;
    } finally {
      this.#starting.delete(created);
    }
  }

  #isApprover(principal: string): boolean {
    return this.#options.approvers.includes(principal);
  }

  #refusal(): TurnStart["refusal"] {
    if (this.#phase !== "open") return DRAINING;
    const { maxConcurrentTurns } = this.#options;
    if (this.#unended.size + this.#starting.size < maxConcurrentTurns) return undefined;
    const message = `${maxConcurrentTurns} turns are running, the server's limit`;
    return { reason: "TOO_MANY_TURNS", message };
  }

  #beginAsked({ turn, session }: StartedTurn, request: RunRequest): void {
    const { timeoutMs, attachments } = request;
    // Where it waits, then for the agent's own turn, which may have ended by now.
    const own = isLive(turn.state) ? this.#unended.get(session.runningTurnId) : undefined;
    const before = own?.turnId === turn.turnId ? undefined : own;
    const ready = Promise.all([this.#gates.ready(turn.sessionKey), before?.ended]);
    const running = this.#begin(turn, session, timeoutMs, { ready, attachments });
    if (before instanceof RunningTurn) void makeWay(before, running);
  }

  /** The agent has begun to work by itself: that becomes a turn of its session. Answers with its id. */
  #takeOwnWork(work: OwnWork): string {
    const turnId = newTurnId();
    const { sessionKey: sessionId } = work;
    const before = this.#takingUp.get(sessionId) ?? Promise.resolve();
    const taken = before.then(() => this.#runOwnWork(turnId, work));
    this.#takingUp.set(sessionId, taken);
    void taken.then(() => {
      if (this.#takingUp.get(sessionId) === taken) this.#takingUp.delete(sessionId);
    });
    return turnId;
  }

  async #runOwnWork(turnId: string, work: OwnWork): Promise<void> {
    const { agent, log } = this.#options;
    const { sessionKey: sessionId, run } = work;
    try {
      // The turn before may have ended in the same breath: only once that is on disk there is room for another.
      await this.#unended.get(work.lastTurnId)?.ended;
      const { turn, session } = await this.#create(
        ownStart(turnId, work, this.#phase === "open" ? undefined : DRAINING),
      );
      this.#begin(turn, session, undefined, { run });
    } catch (error) {
      // A prompt came first, the session is going, or the server: the work is part of what comes next, if anything does.
      work.decline();
      const isPrompt = error instanceof Refusal && error.reason === "TURN_IN_PROGRESS";
      if (isPrompt) return;
      log.warn("an agent began to work by itself and cannot go on", { sessionId, error });
      await agent.close(sessionId);
    }
  }

  #begin(
    turn: TurnRecord,
    session: SessionRecord,
    timeoutMs: number | undefined,
    beginning: TurnBeginning,
  ): RunningTurn {
    const { limits } = this.#options;
    const bounded = { ...limits, timeoutMs: Math.min(timeoutMs ?? Infinity, limits.timeoutMs) };
    const surroundings = { ...this.#options, tails: this.#tails };
    const running = new RunningTurn(turn, session, bounded, surroundings, beginning);
    this.#hold(running);
    this.#gates.close(turn.sessionKey, running.released);
    // It was being recorded when the others were stopped.
    if (this.#phase === "stopping") void running.stop(SHUTDOWN);
    return running;
  }

  #hold(turn: UnendedTurn): void {
    this.#unended.set(turn.turnId, turn);
    void turn.ended.then(() => {
      this.#unended.delete(turn.turnId);
      this.#bell.ring(turn.sessionKey);
    });
  }

  /** A turn on record, and as it runs; never one that is neither running nor ended. */
  async #find(turnId: string, principal: string, asApprover = false) {
    const { store } = this.#options;
    const record = await store.getTurn(turnId, principal, asApprover);
    const live = this.#unended.get(turnId);
    if (live !== undefined || !isLive(record.state)) return { record, live };
    // It ended, or began, while the store was asked.
    const now = await store.getTurn(turnId, principal, asApprover);
    return { record: now, live: this.#unended.get(turnId) };
  }
}
