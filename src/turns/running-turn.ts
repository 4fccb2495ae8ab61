import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import {
  ApprovalDecision,
  ErrorReason,
  NoticeEventSchema,
  NoticeReason,
  SteerEventSchema,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import type {
  Agent,
  AgentRun,
  AgentTurn,
  ApprovalAnswer,
  EventKind,
  TerminalKind,
} from "../agent/agent.ts";
import { isTerminal } from "../agent/agent.ts";
import { Refusal, storageFailed } from "../errors.ts";
import type { Log } from "../log.ts";
import type { SessionRecord, SteerRequest, Store, TurnRecord } from "../store/store.ts";
import { isLive } from "../turn-state.ts";
import { Approvals, decisionOf, EXPIRED_ANSWER, turnEnded } from "./approvals.ts";
import { type Attachment, placeAttachments, takeBackAttachments } from "./attachments.ts";
import { boundEvent } from "./bounded-event.ts";
import { type EncodedEvent, encodeEvents } from "./encoded-event.ts";
import { type Listener, Listeners, type LiveTurn, type StopListening } from "./live-turn.ts";
import { OwnConversations } from "./own-conversations.ts";
import { retryStorage } from "./retry-storage.ts";
import { Silence } from "./silence.ts";
import { Tail, type TailShares } from "./tail.ts";
import { TextDeltas } from "./text-deltas.ts";
import { endRecordOf, errorEvent, type TurnEnd } from "./turn-end.ts";
import { isSeenWhole, unseenAnswer, unseenNotice } from "./unseen-approval.ts";

/** Bounds of one turn. */
export interface TurnLimits {
  /** From its record to its end, in milliseconds. */
  readonly timeoutMs: number;
  /** Between two lines of the agent, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** How long an approval is waited for, in milliseconds. */
  readonly approvalMs: number;
  /** How long the model may be silent before readers are told, in milliseconds. */
  readonly silenceMs: number;
  /** One serialized event. */
  readonly maxEventBytes: number;
  /** All serialized events. */
  readonly maxTurnBytes: number;
}

/** What a turn is run with. */
export interface TurnSurroundings {
  readonly store: Store;
  readonly agent: Agent;
  readonly log: Log;
  /** What its cache of events shares the memory with. */
  readonly tails: TailShares;
}

/** How a turn gets its run: from the agent, once its session is ready, or it is the agent's own work. */
export type TurnBeginning =
  | { readonly ready: Promise<unknown>; readonly attachments: readonly Attachment[] }
  | { readonly run: AgentRun };

/** A message for a running turn. */
export interface Steer {
  readonly message: string;
  readonly principal: string;
  /** Empty: it is not to be found again. */
  readonly requestId: string;
}

/** An agent that obeys an interrupt was measured to do so within 40 ms. */
const OBEY_MS = 5000;

/** What may be on its way to the disk before the agent has to wait. */
const UNCOMMITTED_BYTES = 1024 * 1024;

/**
 * A turn while it runs: the only writer of its log.
 *
 * 1. Sequences are given in the order in which the agent's events came, without gaps.
 * 2. An event is published (`lastSequence`, `after`) only once the store has it on disk.
 * 3. The first cause of an end wins; exactly one terminal event is appended, and nothing after it.
 * 4. A cause that is not the agent's own is recorded only once no process of the turn is left.
 * 5. An approval is on disk before the agent hears of it.
 * 6. Only what is shown whole can be approved.
 */
export class RunningTurn implements LiveTurn {
  readonly turnId: string;
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly textDeltas = new TextDeltas();
  /** Resolves when the terminal event is on disk. Never rejects. */
  readonly ended: Promise<void>;
  /** Resolves when its session can take the next turn. Never rejects. */
  readonly released: Promise<void>;

  readonly #turn: TurnRecord;
  readonly #session: SessionRecord;
  readonly #limits: TurnLimits;
  /** When its time is up, on the clock that is never set. */
  readonly #endsAt: number;
  readonly #surroundings: TurnSurroundings;
  readonly #tail: Tail;
  readonly #timers: { turn?: NodeJS.Timeout; idle?: NodeJS.Timeout } = {};
  readonly #aborted = new AbortController();
  readonly #listeners = new Listeners();
  readonly #approvals = new Approvals((approvalId) => void this.#expire(approvalId));
  readonly #silence: Silence;
  readonly #conversations: OwnConversations;
  #beginning: TurnBeginning | undefined;
  /** What the server's end of the turn makes of approvals that wait. */
  #withdrawn: EventKind[] | undefined;
  /** Messages that came before there was a run to hand them to. */
  #steers: string[] = [];
  #interruption = "interrupted by InterruptTurn";

  #run: AgentRun | undefined;
  #state: TurnState;
  /** As of the newest batch that is on its way to the disk. */
  #nextState: TurnState;
  #failure: Error | undefined;
  #end: TurnEnd | "agent" | undefined;
  #lastSequence = 0;
  #nextSequence = 1;
  #logBytes = 0;
  #uncommittedBytes = 0;
  #committed: Promise<void> = Promise.resolve();
  /** As it is on record. */
  #agentSessionId: string;
  readonly #released = Promise.withResolvers<void>();

  /** Begins to run a turn that is on record, or to wait until it can be run. */
  constructor(
    record: TurnRecord,
    session: SessionRecord,
    limits: TurnLimits,
    surroundings: TurnSurroundings,
    beginning: TurnBeginning,
  ) {
    this.turnId = record.turnId;
    this.sessionId = record.sessionId;
    this.sessionKey = record.sessionKey;
    this.#turn = record;
    this.#session = session;
    this.#limits = limits;
    this.#surroundings = surroundings;
    this.#agentSessionId = session.agentSessionId;
    this.#conversations = new OwnConversations(session, surroundings);
    this.#beginning = beginning;
    this.#state = record.state;
    this.#nextState = record.state;
    this.released = this.#released.promise;
    this.#silence = new Silence(limits.silenceMs, (lastedMs) => this.#tellSilence(lastedMs));
    this.#endsAt = performance.now() + limits.timeoutMs;
    this.#timers.turn = setTimeout(() => this.#timeOut(), limits.timeoutMs);
    this.#tail = new Tail(surroundings.tails);
    this.ended = this.#live().finally(surroundings.tails.add());
  }

  get state(): TurnState {
    return this.#state;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  after(sequence: number): readonly EncodedEvent[] | undefined {
    return this.#tail.after(sequence);
  }

  listen(listener: Listener): StopListening {
    return this.#listeners.add(listener);
  }

  /**
   * Ends the turn for a reason of the server's, unless it has ended or is ending already.
   *
   * @returns `ended`.
   */
  stop(end: TurnEnd): Promise<void> {
    if (this.#end === undefined) {
      this.#end = end;
      this.#aborted.abort();
      void this.#run?.stop();
    }
    return this.ended;
  }

  /**
   * Asks the agent to stop what it does. Resolves when the turn has ended; the agent's process lives on.
   *
   * @param why - What the terminal event says.
   * @throws Refusal INTERRUPT_NOT_OBEYED where the agent does not within 5 s: the turn goes on.
   */
  async interrupt(why = "interrupted by InterruptTurn"): Promise<void> {
    if (this.#end !== undefined) return this.ended;
    this.#interruption = why;
    if (this.#run === undefined) {
      return this.stop({ reason: ErrorReason.CANCELED, message: `${why} before it began` });
    }
    this.#run.interrupt();
    const waited = new AbortController();
    const late = delay(OBEY_MS, true, { signal: waited.signal }).catch(() => false);
    const isLate = await Promise.race([this.ended.then(() => false), late]);
    waited.abort();
    if (!isLate) return;
    if (this.#end !== undefined) return this.ended;
    const message = `the agent did not stop within ${OBEY_MS / 1000} s; the turn goes on, and CancelTurn ends it`;
    throw new Refusal("INTERRUPT_NOT_OBEYED", message);
  }

  /**
   * Hands the agent a further message. Resolves with the sequence of the event that records it, once that is on disk.
   *
   * @throws Refusal TURN_ENDED or STORAGE.
   */
  async steer({ message, principal, requestId }: Steer): Promise<number> {
    if (this.#end !== undefined) throw turnEnded();
    if (this.#run === undefined) this.#steers.push(message);
    else if (!this.#run.steer(message)) throw turnEnded();
    const sequence = this.#nextSequence;
    const value = create(SteerEventSchema, { message, principal, requestId });
    const request = requestId === "" ? undefined : { principal, requestId, message };
    await this.#record({ case: "steer", value }, request);
    return sequence;
  }

  /**
   * Decides an approval that the agent waits for, and tells it once that is on disk.
   *
   * @throws Refusal as `Approvals.decide`, or STORAGE.
   */
  async resolveApproval(id: string, answer: ApprovalAnswer, principal: string): Promise<void> {
    this.#approvals.check(id);
    if (this.#end !== undefined) throw turnEnded();
    await this.#record(this.#approvals.decide(id, decisionOf(answer), principal));
    this.#answer(id, answer);
  }

  async #live(): Promise<void> {
    try {
      await this.#follow();
    } catch (error) {
      this.#surroundings.log.error("a turn failed by a defect", { turnId: this.turnId, error });
      const message = "the server failed to follow the agent; its log has the details";
      void this.stop({ reason: ErrorReason.AGENT_PROTOCOL, message });
    }
    if (this.#end !== "agent") await this.#run?.stop();
    if (this.#end !== "agent") await this.#lookInto([]);
    this.#clearTimers();
    await this.#committed;
    void this.#reportReleased();
    if (isLive(this.#state)) await this.#appendEnd();
  }

  /** Has the agent run the turn and appends what it does, until it has given its terminal event or is stopped. */
  async #follow(): Promise<void> {
    await this.#begin();
    const run = this.#run;
    if (run === undefined) return;
    for (const message of this.#steers.splice(0)) run.steer(message);
    this.#timers.idle = setTimeout(() => this.#idle(), this.#limits.idleTimeoutMs);
    this.#silence.heard();
    for await (const batch of run.events) {
      this.#heard();
      // After another cause the agent is read on only for its usage, and so that it can exit.
      if (this.#end !== undefined || batch.length === 0) continue;
      if (this.#conversations.isUnknown(batch, run.agentSessionId)) {
        await this.#lookInto(batch);
        // Another cause may have come first.
        if (this.#end !== undefined) continue;
      }
      this.#take(batch);
      // On its way to the disk it need not be there twice.
      batch.length = 0;
      if (this.#uncommittedBytes > UNCOMMITTED_BYTES) await this.#committed;
    }
  }

  /** Apart from what lasts as long as the turn: what came with the prompt is large, and is let go of once it is placed. */
  async #begin(): Promise<void> {
    const beginning = this.#beginning!;
    this.#beginning = undefined;
    if ("run" in beginning) this.#run = beginning.run;
    else await this.#start(beginning);
  }

  /** Has a batch name no conversation that is not the session's own. */
  async #lookInto(batch: EventKind[]): Promise<void> {
    const given = this.#run?.agentSessionId ?? this.#conversations.current;
    if (!this.#conversations.isUnknown(batch, given)) return;
    try {
      await this.#conversations.lookInto(batch, given);
    } catch (error) {
      this.#lose(error as Error);
    }
  }

  /** Waits until the session is ready and starts the agent, unless the turn ends meanwhile. */
  async #start({ ready, attachments }: Extract<TurnBeginning, { ready: unknown }>): Promise<void> {
    const { workspace } = this.#session;
    await Promise.race([ready, onAbort(this.#aborted.signal)]);
    if (this.#end !== undefined) return;
    // A mistake here (a file in its place, no permission) is for the agent to find and to explain.
    await mkdir(workspace, { mode: 0o700 }).catch(() => {});
    const sent = await this.#placeAttachments(workspace, attachments);
    if (sent === undefined) return;
    const isToRun =
      this.#end === undefined && (this.#state !== TurnState.QUEUED || (await this.#leaveQueue()));
    if (!isToRun) return takeBackAttachments(workspace, this.turnId, attachments);
    // At once, so that whoever stops the turn finds it.
    this.#run = this.#surroundings.agent.start(this.#agentTurn(workspace, sent));
  }

  async #placeAttachments(workspace: string, attachments: readonly Attachment[]) {
    try {
      const { signal } = this.#aborted;
      return await placeAttachments(workspace, this.turnId, attachments, signal);
    } catch (error) {
      const message = `The files that came with the prompt cannot be put into the workspace: ${(error as Error).message}. Nothing was run.`;
      void this.stop({ reason: ErrorReason.AGENT_START_FAILED, message });
      return undefined;
    }
  }

  async #leaveQueue(): Promise<boolean> {
    try {
      await this.#surroundings.store.beginTurn(this.turnId);
    } catch (error) {
      this.#lose(error as Error);
      return false;
    }
    this.#state = TurnState.RUNNING;
    this.#nextState = TurnState.RUNNING;
    this.#listeners.call();
    return this.#end === undefined;
  }

  #agentTurn(workspace: string, sent: Pick<AgentTurn, "images" | "files">): AgentTurn {
    const { turnId, sessionKey } = this;
    const { prompt, model, agent, permissionMode } = this.#turn;
    const agentSessionId = this.#agentSessionId;
    const ids = { turnId, sessionKey, agentSessionId };
    return { ...ids, workspace, prompt, ...sent, model, agent, permissionMode };
  }

  #take(given: EventKind[]): void {
    const batch = this.#durable(given);
    if (batch.length === 0) return;
    const last = batch.at(-1)!;
    const terminal = isTerminal(last) ? last : undefined;
    for (const kind of batch) boundEvent(kind, this.#limits.maxEventBytes);
    if (terminal !== undefined) {
      if (isInterruption(terminal)) terminal.value.message = this.#interruption;
      batch.splice(-1, 0, ...this.#approvals.withdrawAll());
      this.#end = "agent";
    }
    const events = this.#encode(batch);
    if (terminal === undefined && this.#logBytes > this.#limits.maxTurnBytes) this.#stopAtLimit();
    else this.#append(events, terminal);
  }

  /** What of a batch goes on record. The text that the agent is writing is only shown. */
  #durable(given: readonly EventKind[]): EventKind[] {
    const expireMs = this.#expireMs();
    const durable: EventKind[] = [];
    for (const each of given) {
      const kind = this.#askable(each);
      const isDurable = kind.case !== "textDelta" && this.#approvals.note(kind, expireMs);
      if (isDurable) durable.push(kind);
      this.textDeltas.take(kind, this.#nextSequence - 1 + durable.length);
    }
    this.textDeltas.tell();
    return durable;
  }

  /** What nobody could see whole nobody is asked about: it is denied, and the event says so. */
  #askable(kind: EventKind): EventKind {
    if (kind.case !== "approvalRequest") return kind;
    boundEvent(kind, this.#limits.maxEventBytes);
    if (isSeenWhole(kind.value)) return kind;
    this.#run?.answer(kind.value.approvalId, unseenAnswer(kind.value));
    return unseenNotice(kind.value);
  }

  #stopAtLimit(): void {
    const message = `the turn's log reached its limit of ${this.#limits.maxTurnBytes} bytes (BREAKGLASS_MAX_TURN_BYTES)`;
    void this.stop({ reason: ErrorReason.OUTPUT_LIMIT, message });
  }

  /** How long an approval is waited for that is asked for now: not past the turn's own end, whatever the clock is set to. */
  #expireMs(): number {
    return Math.min(this.#limits.approvalMs, this.#endsAt - performance.now());
  }

  /** Appends an event that is not the agent's, and waits until it is on disk. */
  async #record(kind: EventKind, steer?: SteerRequest): Promise<void> {
    if (this.#end !== undefined) throw turnEnded();
    boundEvent(kind, this.#limits.maxEventBytes);
    this.#append(this.#encode([kind]), undefined, steer);
    if (this.#logBytes > this.#limits.maxTurnBytes) this.#stopAtLimit();
    await this.#committed;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #answer(approvalId: string, answer: ApprovalAnswer): void {
    // It may have ended while the decision was on its way to the disk.
    if (this.#end !== undefined) return;
    this.#run?.answer(approvalId, answer);
    this.#heard();
  }

  /** The turn goes on; its agent gets its time anew. */
  #heard(): void {
    this.#timers.idle?.refresh();
    this.#silence.heard();
  }

  async #expire(approvalId: string): Promise<void> {
    if (this.#end !== undefined) return;
    try {
      await this.#record(
        this.#approvals.decide(approvalId, { decision: ApprovalDecision.EXPIRED }),
      );
      this.#answer(approvalId, EXPIRED_ANSWER);
    } catch {
      // It was decided in the same moment, or the turn is ending.
    }
  }

  #tellSilence(lastedMs: number): void {
    if (this.#end !== undefined || this.#run?.waitsForModel !== true) return;
    const { idleTimeoutMs } = this.#limits;
    const message = `The model has sent nothing for ${lastedMs / 1000} s. The turn ends where the agent prints nothing for ${idleTimeoutMs / 1000} s.`;
    const value = create(NoticeEventSchema, { reason: NoticeReason.AGENT_SILENT, message });
    void this.#record({ case: "notice", value }).catch(() => {});
  }

  #encode(kinds: readonly EventKind[]): EncodedEvent[] {
    const events = encodeEvents(this, this.#nextSequence, Date.now(), kinds);
    this.#logBytes += byteLength(events);
    return events;
  }

  #append(events: EncodedEvent[], terminal: TerminalKind | undefined, steer?: SteerRequest): void {
    const bytes = byteLength(events);
    this.#uncommittedBytes += bytes;
    const appended = this.#store(events, terminal, steer);
    // The store answers in the order in which it was asked: behind the last one all are on disk.
    this.#committed = appended.then(
      () => {
        this.#uncommittedBytes -= bytes;
      },
      (error: Error) => this.#lose(error),
    );
  }

  /** Appends and, once that is on disk, publishes. */
  async #store(
    events: EncodedEvent[],
    terminal: TerminalKind | undefined,
    steer?: SteerRequest,
  ): Promise<void> {
    const first = this.#nextSequence;
    this.#nextSequence += events.length;
    const agentSessionId = this.#conversations.current;
    const end = terminal && endRecordOf(terminal);
    const state = end?.state ?? this.#awaitedState;
    const isChange = end === undefined && state !== this.#nextState;
    this.#nextState = state;
    await this.#surroundings.store.append({
      turnId: this.turnId,
      firstSequence: first,
      events,
      time: Date.now(),
      ...(agentSessionId === this.#agentSessionId ? {} : { agentSessionId }),
      ...(isChange ? { state } : {}),
      ...(steer === undefined ? {} : { steer }),
      ...(end === undefined ? {} : { end }),
    });
    this.#agentSessionId = agentSessionId;
    this.#tail.push(first, events);
    this.#lastSequence = first + events.length - 1;
    this.#state = state;
    // Whoever has not taken them wants them soon; nobody else does.
    if (this.#listeners.call()) this.#tail.clear();
  }

  /** The state of a turn that goes on. */
  get #awaitedState(): TurnState {
    if (!this.#approvals.isEmpty) return TurnState.AWAITING_APPROVAL;
    return this.#run === undefined ? this.#nextState : TurnState.RUNNING;
  }

  /** The store did not take an event: nobody is told of it, readers are told so, and the agent is stopped. */
  #lose(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#surroundings.log.error("the store does not take a turn's events", {
      turnId: this.turnId,
      error,
    });
    this.#failure = error instanceof Refusal ? error : storageFailed(error.message);
    this.#end = {
      reason: ErrorReason.STORAGE,
      message: `the store did not take the turn's events: ${error.message}`,
    };
    this.#listeners.call();
    void this.#run?.stop();
  }

  /** Appends the terminal event of a turn that the agent did not end, however long the store takes to take it. */
  #appendEnd(): Promise<void> {
    return retryStorage(
      () => {
        const end = this.#end === "agent" || this.#end === undefined ? noEnd : this.#end;
        const terminal = errorEvent(end, this.#run?.spending);
        boundEvent(terminal, this.#limits.maxEventBytes);
        this.#nextSequence = this.#lastSequence + 1;
        // Once only: they are decided then, whatever the store says.
        this.#withdrawn ??= this.#approvals.withdrawAll();
        return this.#store(this.#encode([...this.#withdrawn, terminal]), terminal);
      },
      (error) => this.#lose(error),
    );
  }

  async #reportReleased(): Promise<void> {
    await this.#run?.released;
    this.#released.resolve();
  }

  #timeOut(): void {
    const message = `the turn took longer than ${this.#limits.timeoutMs / 1000} s`;
    void this.stop({ reason: ErrorReason.TURN_TIMEOUT, message });
  }

  #idle(): void {
    if (!this.#approvals.isEmpty) {
      this.#timers.idle?.refresh();
      return;
    }
    const message = `the agent printed nothing for ${this.#limits.idleTimeoutMs / 1000} s`;
    void this.stop({ reason: ErrorReason.IDLE_TIMEOUT, message });
  }

  #clearTimers(): void {
    clearTimeout(this.#timers.turn);
    clearTimeout(this.#timers.idle);
    this.#silence.stop();
  }
}

/** Whether the agent stopped because it was asked to. */
function isInterruption(kind: TerminalKind): kind is Extract<TerminalKind, { case: "error" }> {
  return kind.case === "error" && kind.value.reason === ErrorReason.CANCELED;
}

/** An adapter owes a terminal event; one that gives none is a defect, and the turn still ends. */
const noEnd: TurnEnd = {
  reason: ErrorReason.AGENT_PROTOCOL,
  message: "the agent ended without a result",
};

function byteLength(events: readonly EncodedEvent[]): number {
  return events.reduce((sum, event) => sum + event.length, 0);
}

function onAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
