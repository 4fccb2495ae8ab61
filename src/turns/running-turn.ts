import {
  type Agent,
  type AgentRun,
  type EventKind,
  isTerminal,
  type TerminalKind,
} from "../agent/agent.ts";
import type { AuditEntry } from "../audit/entry.ts";
import { Refusal, unsupportedByAgent } from "../errors.ts";
import type { TurnHappenings } from "../happenings.ts";
import type { Caller } from "../identity/caller.ts";
import type { SessionRecord, TurnRecord } from "../store/records.ts";
import { byDeadline } from "../stream/deadline.ts";
import type { ApprovalAnswer } from "../turn-requests.ts";
import { awaitsProcesses, type EndCause, type Interrupter, terminalOf } from "./end-causes.ts";
import type { LiveTurn } from "./live-turn.ts";
import { RecentEvents } from "./recent-events.ts";
import { beginRun, movedOf, type TurnBeginning } from "./run-beginning.ts";
import { type BroughtSession, NOTHING_KEPT } from "./session-moves.ts";
import { silenceNotice } from "./silence.ts";
import type { TextDeltas } from "./text-deltas.ts";
import { TurnClocks } from "./turn-clocks.ts";
import { type Steer, TurnInputs } from "./turn-inputs.ts";
import { TurnLifecycle } from "./turn-lifecycle.ts";
import { TurnLog } from "./turn-log.ts";
import { TurnRecorder } from "./turn-recorder.ts";
import type { TurnSpending } from "./turn-spending.ts";
import type { TurnLimits, TurnSurroundings } from "./turn-surroundings.ts";

/** An agent that obeys an interrupt was measured to do so within 40 ms. */
const OBEY_MS = 5000;

/**
 * A turn from its record to its end.
 *
 * 1. Exactly one terminal event goes on record, that of the first cause, and nothing after it.
 * 2. Where its cause is not the agent's own event, it goes on record only once no process of the turn is left.
 */
export class RunningTurn implements LiveTurn {
  readonly turnId: string;
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly log: TurnLog;
  /** Resolves when the terminal event is on disk, or is another server's to record. Never rejects. */
  readonly ended: Promise<void>;
  /** Resolves when its session can take the next turn. Never rejects. */
  readonly released: Promise<void>;

  readonly #turn: TurnRecord;
  readonly #told: TurnHappenings;
  readonly #session: SessionRecord;
  readonly #agent: Agent;
  readonly #limits: TurnLimits;
  readonly #surroundings: TurnSurroundings;
  readonly #clocks: TurnClocks;
  readonly #inputs: TurnInputs;
  readonly #recorder: TurnRecorder;
  readonly #spending: TurnSpending;
  readonly #steerers = new Set<string>();
  readonly #life = new TurnLifecycle();
  readonly #released = Promise.withResolvers<void>();
  #beginning: TurnBeginning | undefined;
  /** What there was of its session on another server is being brought. */
  #bringing: Promise<BroughtSession> | undefined;
  /** The batch with the agent's end, where something in it has to be looked into first. */
  #lastBatch: EventKind[] = [];

  /** Begins to run a turn that is on record, or to wait until it can be run. */
  constructor(
    turn: TurnRecord,
    session: SessionRecord,
    limits: TurnLimits,
    spendingOf: (reached: (limit: string) => void) => TurnSpending,
    surroundings: TurnSurroundings,
    beginning: TurnBeginning,
  ) {
    this.turnId = turn.turnId;
    this.sessionId = turn.sessionId;
    this.sessionKey = turn.sessionKey;
    this.#turn = turn;
    this.#session = session;
    this.#agent = surroundings.agents.of(session.agentKind);
    this.#limits = limits;
    this.#surroundings = surroundings;
    this.#spending = spendingOf((limit) => this.#stopFor(limit));
    this.#beginning = beginning;
    this.released = this.#released.promise;
    const { store, log, audit, happenings, recentEvents, timers } = surroundings;
    const trace = "run" in beginning ? undefined : beginning.trace;
    const told = happenings.turnAccepted(turn, session.agentKind, trace);
    this.#told = told;
    const { agentSessionId } = session;
    this.log = new TurnLog(
      { ...turn, agentSessionId },
      { store, log, audit, timers, ended: (end) => told.ended(end) },
      new RecentEvents(recentEvents),
      (error) => void this.end({ case: "store", error }),
    );
    this.#inputs = new TurnInputs({
      ...{ log: this.log, life: this.#life },
      heard: () => this.#clocks.heard(),
      tell: (kind) => {
        told.approval(kind);
        if (kind.case === "approvalRequest") this.#keep();
      },
      endFull: () => this.#endFull(),
    });
    const { approvals } = this.#inputs;
    const recorded = { ...surroundings, told };
    this.#recorder = new TurnRecorder(this.log, approvals, session, limits, recorded);
    this.#inputs.recordIn(this.#recorder);
    this.#clocks = new TurnClocks(limits, {
      isExcused: () => !approvals.isEmpty,
      turnTimedOut: (limitMs) => void this.end({ case: "turnTimeout", limitMs }),
      idleTimedOut: (limitMs) => void this.end({ case: "idleTimeout", limitMs }),
      silenceLasts: (lastedMs) => this.#tellSilence(lastedMs),
    });
    this.ended = this.#live().finally(recentEvents.add());
  }

  /** The sequences of the events that ask for approvals that wait, as far as they are on disk. */
  get pendingApprovals(): number[] {
    return this.#inputs.approvals.sequences.filter(
      (sequence) => sequence > 0 && sequence <= this.log.lastSequence,
    );
  }

  /** Whether a caller has told the agent something, or tried to. */
  isSteeredBy({ name }: Caller): boolean {
    return this.#steerers.has(name);
  }

  get textDeltas(): TextDeltas {
    return this.#recorder.textDeltas;
  }

  /**
   * Ends the turn, unless it has ended or is ending already.
   *
   * @returns `ended`.
   */
  end(cause: EndCause): Promise<void> {
    this.#life.end(cause);
    return this.ended;
  }

  /**
   * Asks the agent to stop what it does. Resolves when the turn has ended; the agent's process lives on.
   *
   * @throws Refusal INTERRUPT_NOT_OBEYED where the agent does not within 5 s: the turn goes on.
   */
  async interrupt(by: Interrupter = "caller"): Promise<void> {
    this.#life.interrupt(by);
    if (this.#life.isEnding) return this.ended;
    const ended = this.ended.then(() => true);
    if ((await byDeadline(ended, OBEY_MS, false)) || this.#life.isEnding) return this.ended;
    const message = `the agent did not stop within ${OBEY_MS / 1000} s; the turn goes on, and CancelTurn ends it`;
    throw new Refusal("INTERRUPT_NOT_OBEYED", message);
  }

  /** Puts what somebody does on the audit chain with what comes of it, unless the turn is ending already. */
  note(entries: readonly AuditEntry[]): void {
    if (!this.#life.isEnding) this.log.note(entries);
  }

  /**
   * Hands the agent a further message. Resolves with the sequence of the event that records it, once that is on disk.
   *
   * @throws Refusal UNSUPPORTED_BY_AGENT; TURN_ENDED; STORAGE where that is not on disk yet, and may be later; FENCED.
   */
  async steer(steer: Steer, caller: Caller): Promise<number> {
    if (!this.#agent.capabilities.steer) throw this.#unsupported("steer");
    // Before it is taken: it may be on its way when the agent asks for what it brought about.
    this.#steerers.add(steer.principal);
    return this.#inputs.steer(steer, caller);
  }

  /**
   * Decides an approval that the agent waits for, and tells it once that is on disk.
   *
   * @throws Refusal as `Approvals.decide`; UNSUPPORTED_BY_AGENT; STORAGE or FENCED where that is not on disk, and never
   * will be.
   */
  async resolveApproval(id: string, answer: ApprovalAnswer, caller: Caller): Promise<void> {
    this.#inputs.approvals.check(id);
    const isChanged = answer.allow && answer.inputJson !== undefined;
    if (isChanged && !this.#agent.capabilities.changedInput) {
      throw this.#unsupported("changed_input");
    }
    return this.#inputs.resolve(id, answer, caller);
  }

  async #live(): Promise<void> {
    try {
      await this.#begin();
      if (this.#life.phase.is === "running") await this.#follow(this.#life.phase.run);
      this.#life.end({ case: "noTerminal" });
    } catch (error) {
      this.#tellDefect(error);
      this.#life.end({ case: "defect" });
    }
    const { phase } = this.#life;
    if (phase.is === "ending") await this.#conclude(phase.cause, phase.run);
    this.#told.over();
  }

  /** Apart from what lasts as long as the turn: what came with the prompt is large, and is let go of once it is placed. */
  async #begin(): Promise<void> {
    const beginning = this.#beginning!;
    this.#beginning = undefined;
    const begin = (run: AgentRun) => {
      this.#life.begin(run);
      this.#told.started();
      this.#clocks.startAgent();
      this.#spending.begin(run);
    };
    if ("run" in beginning) return begin(beginning.run);
    await beginRun(beginning, {
      ...{ turn: this.#turn, session: this.#session, log: this.log, ending: this.#life.ending },
      ...{ agent: this.#agent, store: this.#surroundings.store },
      filesOwner: this.#surroundings.filesOwner,
      bring: () => this.#bring(),
      end: (cause) => this.#life.end(cause),
      tell: (kind) => this.#recorder.append(kind),
      run: (turn) => begin(this.#agent.start({ ...turn, trace: this.#told.trace })),
    });
  }

  /** Appends what the agent does, until it has given its terminal event or the turn ends by another cause. */
  async #follow(run: AgentRun): Promise<void> {
    for await (const batch of run.events) {
      this.#clocks.heard();
      // After another cause the agent is read on only for its usage, and so that it can exit.
      if (this.#life.isEnding) continue;
      if (batch.length === 0) {
        this.#spending.look(run);
        continue;
      }
      const last = batch.at(-1)!;
      const terminal = isTerminal(last) ? last : undefined;
      this.#life.nameInterrupter(terminal);
      if (this.#recorder.isUnknown(batch, run)) {
        if (terminal !== undefined) this.#postpone(batch, terminal);
        else await this.#recorder.lookInto(batch, run);
        if (this.#life.isEnding) continue;
      }
      if (!this.#recorder.appendBatch(batch, run, terminal, this.#clocks.leftMs)) this.#endFull();
      if (terminal !== undefined) this.#life.end({ case: "agent", terminal });
      else this.#spending.look(run);
      // On its way to the disk it need not be there twice.
      batch.length = 0;
      if (this.#recorder.mustWait) await this.log.settled;
    }
  }

  /** Has the agent stop for a limit that was reached, and ends it where it does not obey. */
  #stopFor(limit: string): void {
    const end = () => void this.end({ case: "spendingLimit", limit });
    if (this.#life.phase.is === "waiting") end();
    else this.interrupt({ limit }).catch(end);
  }

  /** Leaves the last batch to the end, which waits for the store. */
  #postpone(batch: EventKind[], terminal: TerminalKind): void {
    this.#lastBatch = batch;
    this.#life.end({ case: "agent", terminal });
  }

  #endFull(): void {
    this.#life.end({ case: "outputLimit", limitBytes: this.#limits.maxTurnBytes });
  }

  /** Brings the end on record, however long that takes. */
  async #conclude(cause: EndCause, run: AgentRun | undefined): Promise<void> {
    if (awaitsProcesses(cause)) await run?.stop(); // 2.
    this.#clocks.stop();
    await this.log.settled;
    void this.#reportReleased(run);
    // Nobody has seen what the store did not take, and no cause that came first asks for it.
    if (cause.case === "store") this.#recorder.discardUnrecorded();
    else if (this.log.failure !== undefined) this.#recorder.withdrawUnrecorded();
    if (!this.log.hasEnd) await this.#appendEnd(cause, run);
    if (run !== undefined) this.#spending.look(run);
    await this.log.recorded();
    this.#keep();
    this.#spending.end();
    this.#life.conclude(cause);
  }

  /** Has what is new of the conversation kept, so that another server can go on with it. */
  #keep(): void {
    const { sessionId, sessionKey, agentKind, workspace } = this.#session;
    const { conversationId } = this.#recorder;
    this.#surroundings.moves?.keep({ sessionId, sessionKey, agentKind, conversationId, workspace });
  }

  async #appendEnd(cause: EndCause, run: AgentRun | undefined): Promise<void> {
    if (run !== undefined) await this.#recorder.waitToLookInto(this.#lastBatch, run);
    const terminal = terminalOf(cause, run?.spending);
    try {
      if (this.#lastBatch.length === 0)
        this.#recorder.appendEnd(terminal, run); // 1.
      else this.#recorder.appendBatch(this.#lastBatch, run!, terminal, this.#clocks.leftMs);
    } catch (error) {
      this.#tellDefect(error);
      this.#recorder.appendEnd(terminalOf({ case: "defect" }));
    }
  }

  #tellSilence(lastedMs: number): void {
    const { phase } = this.#life;
    if (phase.is !== "running" || !phase.run.waitsForModel) return;
    void this.#inputs.record(silenceNotice(lastedMs, this.#limits.idleTimeoutMs)).catch(() => {});
  }

  #bring(): Promise<BroughtSession> {
    const { moves = NOTHING_KEPT } = this.#surroundings;
    const bringing = moves.bring(movedOf(this.#session));
    this.#bringing = bringing;
    return bringing;
  }

  #unsupported(capability: Parameters<typeof unsupportedByAgent>[1]): Refusal {
    return unsupportedByAgent(this.#session.agentKind, capability);
  }

  #tellDefect(error: unknown): void {
    const { turnId, sessionId } = this.#turn;
    this.#surroundings.log.error("a turn failed by a defect", { turnId, sessionId, error });
  }

  async #reportReleased(run: AgentRun | undefined): Promise<void> {
    await Promise.all([run?.released, this.#bringing]);
    this.#released.resolve();
  }
}
