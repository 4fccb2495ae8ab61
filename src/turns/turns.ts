import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { DayLimits, DaySpending } from "../day-spending.ts";
import { type Happenings, NOBODY_TOLD } from "../happenings.ts";
import type { Caller } from "../identity/caller.ts";
import { type ApprovalPolicy, Permissions } from "../identity/permissions.ts";
import type { Page, SessionPlace, TurnFilter, TurnPlace } from "../store/lists.ts";
import type { TurnRecord } from "../store/records.ts";
import type { Grantee, SessionName } from "../store/views.ts";
import type { ApprovalResolution, RunRequest, SteerTurn } from "../turn-requests.ts";
import { ActiveSessions } from "./active-sessions.ts";
import { commandServer } from "./command-server.ts";
import { DaySpendings } from "./day-spendings.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { type ApprovalPlace, listPendingApprovals } from "./pending-approvals.ts";
import { type OpenedReader, Readers } from "./readers.ts";
import { RecentEventsBudget } from "./recent-events.ts";
import { takeOver, takeOverTurns } from "./recovery.ts";
import { RemoteTurns } from "./remote-turn.ts";
import { Removals } from "./removals.ts";
import { retain } from "./retention.ts";
import { Serving } from "./serving.ts";
import { SessionCommands } from "./session-commands.ts";
import type { SessionNews } from "./session-watch.ts";
import { type SentShare, type ShownSession, shownTo } from "./shown-sessions.ts";
import type { ReadFrom } from "./subscription.ts";
import type { ReaderPlace, SubscriptionLimits } from "./subscription-counts.ts";
import { TurnCommands } from "./turn-commands.ts";
import type { PlaceLimits } from "./turn-places.ts";
import type { SpendingLimits } from "./turn-spending.ts";
import { makeWorkspace, type StartPolicy } from "./turn-start.ts";
import type { TurnLimits, TurnSurroundings } from "./turn-surroundings.ts";
import type { TurnWatch } from "./turn-watch.ts";
import { UnendedTurns } from "./unended-turns.ts";
import { type WorkspaceLimits, WorkspaceSizes } from "./workspace-sizes.ts";

/** How long what is new of conversations gets to be kept. What is not is kept by the next start. */
const MOVES_END_MS = 10_000;

/** What turns are run within. */
export interface TurnsOptions
  extends Omit<TurnSurroundings, "recentEvents" | "days" | "happenings">,
    SubscriptionLimits,
    PlaceLimits,
    WorkspaceLimits,
    ApprovalPolicy,
    StartPolicy {
  readonly limits: TurnLimits;
  /** Who is told of turns. Undefined: nobody. */
  readonly happenings?: Happenings;
  /** The age at which ended turns are removed, from their end. 0: they are kept. */
  readonly retentionMs: number;
}

/** All sessions and turns: what runs, here or on another server, and what is on record. */
export class Turns {
  /** Whether new turns can be taken. */
  readonly serving: Serving;
  readonly #options: TurnsOptions;
  readonly #unended: UnendedTurns;
  readonly #sessions: ActiveSessions;
  /** What callers may do. */
  readonly permissions: Permissions;
  readonly #commands: TurnCommands;
  readonly #sessionCommands: SessionCommands;
  readonly #removals: Removals;
  readonly #sizes: WorkspaceSizes;
  readonly #days: DaySpendings;
  readonly #readers: Readers;
  readonly #lease: LeaseKeeper;
  readonly #closing = new AbortController();
  /** End what is done here for other servers. */
  readonly #stopServing: (() => void)[] = [];
  /** Resolves when others have taken this server for gone: nothing can be recorded here any more, and it is to be ended. */
  readonly fenced: Promise<void>;
  /** Resolves when no process that a server before this one left is there any more. */
  #leftProcessesGone: Promise<unknown> = Promise.resolve();

  constructor(options: TurnsOptions) {
    this.#options = options;
    const { store, agents, log, happenings = NOBODY_TOLD } = options;
    const unended = new UnendedTurns(store, options);
    this.#unended = unended;
    this.serving = new Serving(store, this.#closing.signal, options.audit?.trial() ?? []);
    const recentEvents = new RecentEventsBudget();
    const days = new DaySpendings(options.dayLimits);
    this.#days = days;
    this.#sessions = new ActiveSessions({ ...options, happenings, recentEvents, days, unended });
    const permissions = new Permissions(options);
    this.permissions = permissions;
    const remote = new RemoteTurns(store);
    this.#commands = new TurnCommands({ ...options, permissions, unended, remote });
    this.#removals = new Removals(options, this.#sessions, this.#closing.signal);
    this.#readers = new Readers({ ...options, permissions, commands: this.#commands });
    const [sessions, removals] = [this.#sessions, this.#removals];
    this.#sizes = new WorkspaceSizes(options, options, this.#closing.signal);
    const runs = (turnId: string) => unended.get(turnId) !== undefined;
    this.#stopServing.push(store.commands.serve(commandServer(this, runs)));
    const { promise: isFenced, resolve: fenced } = Promise.withResolvers<void>();
    this.fenced = isFenced;
    this.#lease = new LeaseKeeper(store, log, {
      fenced,
      stopAll(why) {
        unended.fail(why);
        void agents.closeIdle();
      },
      allowAll: () => unended.allow(),
      takeOver: (owner) => takeOverTurns(owner, { ...options, happenings, unended }),
    });
    const parts = {
      permissions,
      unended,
      days,
      sizes: this.#sizes,
      sessions,
      removals,
      lease: this.#lease,
    };
    this.#sessionCommands = new SessionCommands({ ...options, ...parts });
    agents.onOwnWork((work) => this.#sessions.of(work.sessionKey).beginOwnWork(work));
  }

  /** How many readers there are now. */
  get subscriptions(): number {
    return this.#readers.count;
  }

  /** The turn that runs here in a session. Undefined: none. */
  runningIn(
    sessionKey: string,
  ): { readonly turnId: string; readonly sessionId: string } | undefined {
    return this.#unended.runningIn(sessionKey);
  }

  /** Whether a turn without an end runs here. */
  runs(turnId: string): boolean {
    return this.#unended.get(turnId) !== undefined;
  }

  /** How many turns have no end on disk, by their states. */
  get unended(): ReadonlyMap<TurnState, number> {
    return this.#unended.countByState();
  }

  /** Of how many sessions something is active now: a turn, processes that end, a removal. */
  get activeSessions(): number {
    return this.#sessions.size;
  }

  /**
   * Starts a turn, or finds the one that the same request started before. It runs on its session's home.
   *
   * @throws Refusal as `Store.createTurn`, SESSION_ELSEWHERE only where the home cannot be reached; BYPASS_FORBIDDEN;
   * INVALID_ARGUMENT of what the agent does not take; ROLE_MISSING, and of another principal's session NOT_FOUND or NOT_ALLOWED.
   */
  run(request: RunRequest, caller: Caller): Promise<TurnRecord> {
    return this.#sessionCommands.run(request, caller);
  }

  /**
   * Gives the reader of a turn that is yet to be started its place: who started it is not refused to read it.
   *
   * @throws Refusal TOO_MANY_SUBSCRIPTIONS.
   */
  holdReader(caller: Caller, signal: AbortSignal): ReaderPlace {
    return this.#readers.hold(caller, signal);
  }

  /**
   * Prepares to read a turn. The reader counts until `signal` aborts or `released` is called, whichever is first.
   *
   * @param place - What `holdReader` gave it; released where this throws.
   * @throws Refusal NOT_FOUND, OUT_OF_RANGE or TOO_MANY_SUBSCRIPTIONS.
   */
  subscribe(
    turnId: string,
    from: ReadFrom,
    caller: Caller,
    signal: AbortSignal,
    place?: ReaderPlace,
  ): Promise<OpenedReader> {
    return this.#readers.subscribe(turnId, from, caller, signal, place);
  }

  /**
   * Ends a turn if it runs, and answers with it as it ended.
   *
   * @throws Refusal NOT_FOUND, ROLE_MISSING or NOT_ALLOWED; STORAGE where the turn was stopped but its end cannot be recorded yet; FENCED where no server
   * is known to run it.
   */
  cancel(turnId: string, caller: Caller): Promise<TurnRecord> {
    return this.#commands.cancel(turnId, caller);
  }

  /**
   * Has the agent stop what it does in a turn if it runs, and answers with it as it ended.
   *
   * @throws Refusal as `cancel`; INTERRUPT_NOT_OBEYED; STORAGE and FENCED as `cancel`.
   */
  interrupt(turnId: string, caller: Caller): Promise<TurnRecord> {
    return this.#commands.interrupt(turnId, caller);
  }

  /**
   * Hands a running turn a message, or finds what the same request became before. Answers with the sequence of its event.
   *
   * @throws Refusal as `cancel`; REQUEST_ID_REUSED, TURN_ENDED or STORAGE; FENCED as `cancel`.
   */
  steer(request: SteerTurn, caller: Caller): Promise<{ sequence: number; turn: TurnRecord }> {
    return this.#commands.steer(request, caller);
  }

  /**
   * Answers an approval that a turn asks for.
   *
   * @throws Refusal NOT_FOUND, ROLE_MISSING, SELF_APPROVAL_FORBIDDEN, APPROVAL_NOT_FOUND, APPROVAL_RESOLVED, APPROVAL_EXPIRED,
   * TURN_ENDED or STORAGE; FENCED as `cancel`.
   */
  resolveApproval(resolution: ApprovalResolution, caller: Caller): Promise<TurnRecord> {
    return this.#commands.resolveApproval(resolution, caller);
  }

  /**
   * Tells each change of a session from after a cursor on. Counts as a reader until `signal` aborts or it is left.
   *
   * @throws Refusal NOT_FOUND, also where the session is deleted meanwhile, and opened again under its id; OUT_OF_RANGE;
   * TOO_MANY_SUBSCRIPTIONS.
   */
  watch(
    name: SessionName,
    afterCursor: number,
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<SessionNews> {
    return this.#readers.watch(name, afterCursor, caller, signal);
  }

  /**
   * Tells each change of the turns that a caller may see, from after a cursor on. Counts as a reader until `signal` aborts.
   *
   * @param session - Undefined: of all sessions.
   * @throws Refusal TOO_MANY_SUBSCRIPTIONS.
   */
  watchTurns(
    session: SessionName | undefined,
    filter: TurnFilter,
    afterCursor: number,
    caller: Caller,
    signal: AbortSignal,
  ): TurnWatch {
    const view = this.permissions.viewOf(caller);
    return this.#readers.watchTurns({ view, filter, session }, afterCursor, signal);
  }

  /** Whether a caller who may see a turn may answer what it asks for. */
  async mayResolve(turn: TurnRecord, caller: Caller): Promise<boolean> {
    return (await this.#commands.refusalToAnswer(turn, caller)) === undefined;
  }

  /** @throws Refusal NOT_FOUND. */
  getTurn(turnId: string, caller: Caller): Promise<TurnRecord> {
    return this.#commands.getTurn(turnId, caller);
  }

  listTurns(
    name: SessionName,
    caller: Caller,
    pageSize: number,
    after: number | undefined,
    filter: TurnFilter,
  ): Promise<Page<TurnRecord, number>> {
    const view = this.permissions.viewOf(caller);
    return this.#options.store.listTurns(name, view, pageSize, after, filter);
  }

  /** All turns that a caller may see, newest first. */
  listAllTurns(
    caller: Caller,
    pageSize: number,
    after: TurnPlace | undefined,
    filter: TurnFilter,
  ): Promise<Page<TurnRecord, TurnPlace>> {
    const view = this.permissions.viewOf(caller);
    return this.#options.store.listAllTurns(view, filter, pageSize, after);
  }

  /** What waits for an approval in the turns that a caller may see, and whether they may answer it. */
  async listApprovals(caller: Caller, pageSize: number, from: ApprovalPlace | undefined) {
    const view = this.permissions.viewOf(caller);
    const surroundings = { store: this.#options.store, unended: this.#unended };
    const { items, next } = await listPendingApprovals(surroundings, view, pageSize, from);
    const told = items.map(async (item) => {
      const mayResolve = await this.mayResolve(item.turn, caller);
      return { ...item, mayResolve };
    });
    return { items: await Promise.all(told), next };
  }

  /** What a caller's turns have used today, those that run included. */
  async getSpending({ name }: Caller): Promise<DaySpending> {
    const running = this.#days.running(name);
    const { day, ...ended } = await this.#options.store.getDaySpending(name, Date.now());
    const costUsd = ended.costUsd + running.costUsd;
    return { day, costUsd, modelTurns: ended.modelTurns + running.modelTurns };
  }

  /** What turns may use. */
  get spendingLimits(): SpendingLimits & { readonly ofDay: DayLimits } {
    const { limits, dayLimits } = this.#options;
    return { ...limits, ofDay: dayLimits };
  }

  /** @throws Refusal NOT_FOUND. */
  getSession(name: SessionName, caller: Caller): Promise<ShownSession> {
    return this.#sessionCommands.getSession(name, caller);
  }

  /** All sessions that a caller may see, most recently active first. */
  async listSessions(
    caller: Caller,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Promise<Page<ShownSession, SessionPlace>> {
    const view = this.permissions.viewOf(caller);
    const { items, next } = await this.#options.store.listSessions(view, pageSize, after);
    return { items: items.map((session) => shownTo(caller, session, this.permissions)), next };
  }

  /**
   * Shares a session, or changes what whom it is shared with may do in it.
   *
   * @throws Refusal NOT_FOUND, ROLE_MISSING, NOT_ALLOWED, INVALID_ARGUMENT, SESSION_FULL or STORAGE.
   */
  shareSession(name: SessionName, share: SentShare, caller: Caller): Promise<ShownSession> {
    return this.#sessionCommands.share(name, share, caller);
  }

  /**
   * Ends a share, and all reading that nothing else allows. Idempotent.
   *
   * @throws Refusal NOT_FOUND, ROLE_MISSING, NOT_ALLOWED or STORAGE.
   */
  unshareSession(name: SessionName, grantee: Grantee, caller: Caller): Promise<ShownSession> {
    return this.#sessionCommands.unshare(name, grantee, caller);
  }

  /**
   * Removes a session, its turns, its workspace and what the agent kept of it. From the beginning on nothing finds it.
   * Answers within 10 s or so whether nothing is left of it: else the removal goes on, or the log says what is in its way,
   * or its home is away and goes on when it is back.
   *
   * @throws Refusal NOT_FOUND, ROLE_MISSING, NOT_ALLOWED, TURN_IN_PROGRESS or STORAGE; SESSION_ELSEWHERE as `run`.
   */
  deleteSession(name: SessionName, caller: Caller): Promise<boolean> {
    return this.#sessionCommands.deleteSession(name, caller);
  }

  /**
   * Takes over what a server before this one left: turns that were running end LOST, their processes are ended. Resolves
   * when the store has been asked to record the ends; where it does not take them they are recorded when it does. The
   * processes are ended meanwhile, and their sessions wait for it. From then on turns are removed when they are old enough.
   *
   * @throws Refusal STORAGE where the store cannot even be read.
   */
  async recover(): Promise<void> {
    const { store, agents, sessionsDir, filesOwner, retentionMs, log, audit } = this.#options;
    const { happenings = NOBODY_TOLD } = this.#options;
    const [unended, sessions, removals] = [this.#unended, this.#sessions, this.#removals];
    const own = { happenings, unended, sessions, removals };
    const left = await takeOver({ ...this.#options, ...own });
    this.#leftProcessesGone = left.processesGone;
    await this.#lease.start();
    // Not before: what is asked of a session waits for what was left in it.
    const { home } = this.#sessionCommands;
    this.#stopServing.push(store.commands.serveHome(store.lease.owner, home));
    void removals.recover();
    void this.#sizes.run();
    void retain({ store, log, audit }, retentionMs, removals, this.#closing.signal);
    await left.tried;
    agents.prepare(() => makeWorkspace(sessionsDir, filesOwner));
  }

  /**
   * Takes no new turns, gives the running ones `graceMs` to end by themselves, ends the others LOST, and resolves when no
   * process of any turn is left. Idempotent; a later call can only shorten the grace.
   */
  async drain(graceMs: number): Promise<void> {
    this.#closing.abort();
    const { agents, moves } = this.#options;
    void agents.closeIdle();
    await this.#unended.drain(graceMs);
    for (const stop of this.#stopServing) stop();
    await Promise.all([this.#sessions.vacated(), this.#leftProcessesGone, agents.closeIdle()]);
    await moves?.drain(MOVES_END_MS);
    this.#lease.stop();
  }

  /** Kills all agents without waiting; the next start records how their turns ended. */
  killNow(): void {
    this.#options.agents.killNow();
  }
}
