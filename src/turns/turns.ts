import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { OwnWork } from "../agent/agent.ts";
import { Refusal } from "../errors.ts";
import type {
  LeftProcess,
  Page,
  SessionPlace,
  SessionRecord,
  StartedTurn,
  TurnRecord,
} from "../store/store.ts";
import { byDeadline } from "../stream/deadline.ts";
import { KeyedQueue } from "../stream/keyed-queue.ts";
import { isLive } from "../turn-state.ts";
import { refusalOfLateAnswer, turnEnded } from "./approvals.ts";
import { attachmentsDigest } from "./attachments.ts";
import { commandServer } from "./command-server.ts";
import { newId, newTurnId } from "./identifiers.ts";
import { LeftTurn } from "./left-turn.ts";
import { untilFailed } from "./live-turn.ts";
import { RecentEventsBudget } from "./recent-events.ts";
import { RemoteTurn, RemoteTurns } from "./remote-turn.ts";
import { Removals } from "./removals.ts";
import { retain } from "./retention.ts";
import type { TurnBeginning } from "./run-beginning.ts";
import { RunningTurn } from "./running-turn.ts";
import { SessionGates } from "./session-gates.ts";
import { type SessionNews, watchSession } from "./session-watch.ts";
import { SharedReads } from "./shared-reads.ts";
import { type ReadFrom, Subscription } from "./subscription.ts";
import {
  type ReaderPlace,
  SubscriptionCounts,
  type SubscriptionLimits,
} from "./subscription-counts.ts";
import type { ApprovalResolution, RunRequest, SteerTurn } from "./turn-requests.ts";
import { callerStart, modeOf, ownStart, type StartPolicy } from "./turn-start.ts";
import type { TurnLimits, TurnSurroundings } from "./turn-surroundings.ts";
import { type UnendedTurn, UnendedTurns } from "./unended-turns.ts";
import { yieldToPrompt } from "./yield-to-prompt.ts";

/** What turns are run within. */
export interface TurnsOptions
  extends Omit<TurnSurroundings, "recentEvents">,
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

/** How long a deletion is waited for; it goes on behind the answer. */
const DELETION_MS = 10_000;

/**
 * All sessions and turns: what runs, and what is on record.
 *
 * 1. A turn is on record before anything is spawned for it.
 * 2. No agent is started in a session before it has let go of the session's turn before.
 * 3. A turn without an end on record has not ended: where it does not run here it runs elsewhere, and is read and asked there.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #unended: UnendedTurns;
  readonly #remote: RemoteTurns;
  readonly #gates = new SessionGates();
  readonly #subscriptions: SubscriptionCounts;
  readonly #recentEvents = new RecentEventsBudget();
  readonly #removals: Removals;
  readonly #closing = new AbortController();
  /** Messages that are being recorded, by principal and request. */
  readonly #steering = new KeyedQueue();
  /** The agent's own work that is being recorded, by session: one piece after the other. */
  readonly #ownWork = new KeyedQueue();
  readonly #reads: SharedReads;
  /** Ends what is done here for other servers. */
  readonly #stopServing: () => void;

  constructor(options: TurnsOptions) {
    this.#options = options;
    const { store, maxConcurrentTurns } = options;
    this.#unended = new UnendedTurns(store, maxConcurrentTurns);
    this.#remote = new RemoteTurns(store);
    this.#subscriptions = new SubscriptionCounts(options);
    this.#reads = new SharedReads(store);
    this.#removals = new Removals(options, this.#gates, this.#closing.signal);
    const runs = (turnId: string) => this.#unended.get(turnId) !== undefined;
    this.#stopServing = store.commands.serve(commandServer(this, runs));
    options.agent.onOwnWork((work) => this.#startOwnWork(work));
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
      const created = await this.#unended.create(
        callerStart(request, principal, this.#options, spare, digest, this.#unended.refusal()),
        (started) => this.#beginAsked(started, request),
      );
      session = created.session;
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
      const last = turn.live?.log.lastSequence ?? turn.record.lastSequence;
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
   * @throws Refusal NOT_FOUND; STORAGE where the turn was stopped but its end cannot be recorded yet; FENCED where no server
   * is known to run it.
   */
  async cancel(turnId: string, principal: string): Promise<TurnRecord> {
    const { live } = await this.#find(turnId, principal);
    if (live instanceof RemoteTurn) await live.cancel(principal);
    else if (live !== undefined) await endOnRecord(live, live.end({ case: "cancel" }));
    return this.getTurn(turnId, principal);
  }

  /**
   * Has the agent stop what it does in a turn if it runs, and answers with it as it ended.
   *
   * @throws Refusal NOT_FOUND; INTERRUPT_NOT_OBEYED; STORAGE and FENCED as `cancel`.
   */
  async interrupt(turnId: string, principal: string): Promise<TurnRecord> {
    const { live } = await this.#find(turnId, principal);
    if (live instanceof RemoteTurn) await live.interrupt(principal);
    else if (live !== undefined) await endOnRecord(live, live.interrupt());
    return this.getTurn(turnId, principal);
  }

  /**
   * Hands a running turn a message, or finds what the same request became before. Answers with the sequence of its event.
   *
   * @throws Refusal NOT_FOUND, REQUEST_ID_REUSED, TURN_ENDED or STORAGE; FENCED as `cancel`.
   */
  steer(request: SteerTurn, principal: string): Promise<{ sequence: number; turn: TurnRecord }> {
    if (request.requestId === "") return this.#steer(request, principal);
    // The same request at the same moment finds what the first became.
    const key = JSON.stringify([principal, request.requestId]);
    return this.#steering.run(key, () => this.#steer(request, principal));
  }

  async #steer({ turnId, message, requestId }: SteerTurn, principal: string) {
    const { live } = await this.#find(turnId, principal);
    const request = { principal, requestId, message };
    const known =
      requestId === "" ? undefined : await this.#options.store.findSteer(turnId, request);
    if (known === undefined && !hasAgent(live)) throw turnEnded();
    const sequence = known ?? (await (live as AskedTurn).steer(request));
    return { sequence, turn: await this.getTurn(turnId, principal) };
  }

  /**
   * Answers an approval that a turn asks for.
   *
   * @throws Refusal NOT_FOUND, SELF_APPROVAL_FORBIDDEN, APPROVAL_NOT_FOUND, APPROVAL_RESOLVED, APPROVAL_EXPIRED,
   * TURN_ENDED or STORAGE; FENCED as `cancel`.
   */
  async resolveApproval(resolution: ApprovalResolution, principal: string): Promise<TurnRecord> {
    const { turnId, approvalId, answer } = resolution;
    const asApprover = this.#isApprover(principal);
    const { record, live } = await this.#find(turnId, principal, asApprover);
    if (this.#options.selfApproval === "forbidden" && record.principal === principal) {
      const message = "who runs a turn does not answer for it here: ask an approver";
      throw new Refusal("SELF_APPROVAL_FORBIDDEN", message);
    }
    if (hasAgent(live)) await live.resolveApproval(approvalId, answer, principal);
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
      yield* watchSession(store, session, afterCursor, signal);
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
    return byDeadline(this.#removals.remove(removed), DELETION_MS, false, false);
  }

  /**
   * Takes over what a server before this one left: turns that were running end LOST, their processes are ended. Resolves
   * when the store has been asked to record the ends; where it does not take them they are recorded when it does. The
   * processes are ended meanwhile, and their sessions wait for it. From then on turns are removed when they are old enough.
   *
   * @throws Refusal STORAGE where the store cannot even be read.
   */
  async recover(): Promise<void> {
    const { store, agent, sessionsDir } = this.#options;
    const left = (await store.listLeftTurns(store.lease.owner)).map(
      (turn) => new LeftTurn(turn, this.#options),
    );
    for (const turn of left) this.#unended.hold(turn);
    for (const process of await store.listLeftProcesses(store.lease.owner)) {
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
    this.#closing.abort();
    const { agent } = this.#options;
    void agent.closeIdle();
    await this.#unended.drain(graceMs);
    this.#stopServing();
    await Promise.all([this.#gates.allReady(), agent.closeIdle()]);
  }

  /** Kills all agents without waiting; the next start records how their turns ended. */
  killNow(): void {
    this.#options.agent.killNow();
  }

  #retain(): Promise<void> {
    const { store, retentionMs, log } = this.#options;
    return retain(store, retentionMs, this.#removals, log, this.#closing.signal);
  }

  #isApprover(principal: string): boolean {
    return this.#options.approvers.includes(principal);
  }

  #beginAsked({ turn, session }: StartedTurn, request: RunRequest): RunningTurn {
    const { timeoutMs, attachments } = request;
    // Where it waits, then for the agent's own turn, which may have ended by now.
    const own = isLive(turn.state) ? this.#unended.get(session.runningTurnId) : undefined;
    const before = own?.turnId === turn.turnId ? undefined : own;
    const ready = Promise.all([this.#gates.ready(turn.sessionKey), before?.ended]);
    const running = this.#begin(turn, session, timeoutMs, { ready, attachments });
    if (before instanceof RunningTurn) void yieldToPrompt(before, running);
    return running;
  }

  /** The agent has begun to work by itself: that becomes a turn of its session. Answers with its id. */
  #startOwnWork(work: OwnWork): string {
    const turnId = newTurnId();
    void this.#ownWork.run(work.sessionKey, () => this.#runOwnWork(turnId, work));
    return turnId;
  }

  async #runOwnWork(turnId: string, work: OwnWork): Promise<void> {
    const { agent, log } = this.#options;
    const { sessionKey: sessionId, run } = work;
    try {
      // The turn before may have ended in the same breath: only once that is on disk there is room for another.
      await this.#unended.get(work.lastTurnId)?.ended;
      await this.#unended.create(
        ownStart(turnId, work, this.#unended.refusalOfOwn()),
        ({ turn, session }) => this.#begin(turn, session, undefined, { run }),
      );
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
    const surroundings = { ...this.#options, recentEvents: this.#recentEvents };
    const running = new RunningTurn(turn, session, bounded, surroundings, beginning);
    this.#gates.close(turn.sessionKey, running.released);
    return running;
  }

  /** A turn on record, and as it runs, here or elsewhere; never one that is neither running nor ended. */
  async #find(turnId: string, principal: string, asApprover = false) {
    const { store } = this.#options;
    const record = await store.getTurn(turnId, principal, asApprover);
    const live = this.#unended.get(turnId);
    if (live !== undefined || !isLive(record.state)) return { record, live };
    // It ended, or began, while the store was asked.
    const now = await store.getTurn(turnId, principal, asApprover);
    return { record: now, live: this.#unended.get(turnId) ?? this.#remote.of(now) }; // 3.
  }
}

/** A turn that an agent does, here or elsewhere. */
type AskedTurn = RunningTurn | RemoteTurn;

function hasAgent(turn: UnendedTurn | RemoteTurn | undefined): turn is AskedTurn {
  return turn instanceof RunningTurn || turn instanceof RemoteTurn;
}

/**
 * Resolves with a turn's end.
 *
 * @throws Refusal STORAGE where that cannot be recorded yet; what `ending` does.
 */
async function endOnRecord(turn: UnendedTurn, ending: Promise<void>): Promise<void> {
  const { log } = turn;
  await Promise.race([ending, untilFailed(turn)]);
  if (isLive(log.state) && log.failure !== undefined) throw log.failure;
}
