import type { AgentRun, EventKind, TerminalKind } from "../agent/agent.ts";
import { boundEvent } from "../agent/bounded-event.ts";
import { Refusal } from "../errors.ts";
import type { TurnHappenings } from "../happenings.ts";
import type { Caller } from "../identity/caller.ts";
import type { SessionRecord } from "../store/records.ts";
import type { SteerRequest } from "../store/writes.ts";
import type { Approvals } from "./approvals.ts";
import { byteLength, decodeEvent } from "./encoded-event.ts";
import { EventRedaction } from "./event-redaction.ts";
import { type AppendedWith, approvalsIn } from "./log-batch.ts";
import { notificationsOf, type ToldKinds } from "./notifications.ts";
import { OwnConversations } from "./own-conversations.ts";
import { retryStorage } from "./retry-storage.ts";
import { TextDeltas } from "./text-deltas.ts";
import type { TurnLog } from "./turn-log.ts";
import type { TurnLimits, TurnSurroundings } from "./turn-surroundings.ts";
import { isSeenWhole, unseenAnswer, unseenNotice } from "./unseen-approval.ts";

/** What a turn is recorded with. */
interface RecorderSurroundings
  extends Pick<TurnSurroundings, "store" | "agents" | "log" | "toldKinds" | "redaction"> {
  readonly told: TurnHappenings;
}

/** What may be on its way to the disk before the agent has to wait. */
const UNRECORDED_BYTES = 1024 * 1024;

/**
 * Puts what happens in a turn on its log: as large as events may be, with the conversations that are the session's own, and
 * with each approval asked for and resolved once.
 *
 * 1. Only what is shown whole can be approved.
 * 2. What does not go on record leaves no trace among the approvals: the end withdraws what is asked for on record, and
 *    nothing else.
 */
export class TurnRecorder {
  readonly textDeltas = new TextDeltas();
  readonly #log: TurnLog;
  readonly #approvals: Approvals;
  readonly #limits: TurnLimits;
  readonly #told: TurnHappenings;
  readonly #conversations: OwnConversations;
  readonly #toldKinds: ToldKinds | undefined;
  readonly #redaction: EventRedaction | undefined;
  #hasText = false;

  constructor(
    log: TurnLog,
    approvals: Approvals,
    session: SessionRecord,
    limits: TurnLimits,
    { told, ...surroundings }: RecorderSurroundings,
  ) {
    this.#log = log;
    this.#approvals = approvals;
    this.#limits = limits;
    const { toldKinds, redaction } = surroundings;
    this.#toldKinds = toldKinds;
    this.#redaction = redaction && new EventRedaction(redaction);
    this.#told = told;
    this.#conversations = new OwnConversations(session, log.epoch, surroundings);
  }

  /** The session's conversation, by the agent's id of it. Empty: it has given none yet. */
  get conversationId(): string {
    return this.#conversations.current;
  }

  /** Whether the log is larger than it may be. */
  get isFull(): boolean {
    return this.#log.bytes > this.#limits.maxTurnBytes;
  }

  /** Whether the agent has to wait until the store has answered: so much is on its way to the disk. */
  get mustWait(): boolean {
    return this.#log.unrecordedBytes > UNRECORDED_BYTES;
  }

  /** Whether something in a batch has to be looked into before it is appended. */
  isUnknown(batch: readonly EventKind[], run: AgentRun): boolean {
    return this.#conversations.isUnknown(batch, run.agentSessionId);
  }

  /** Has a batch name no conversation that is not the session's own. The log fails where the store does. */
  async lookInto(batch: EventKind[], run: AgentRun): Promise<void> {
    const looked = this.#conversations.lookInto(batch, run.agentSessionId);
    await looked.catch((error) => this.#log.fail(error));
  }

  /** As `lookInto`, for the end of a turn: however long the store takes, and where it cannot be looked into at all. */
  async waitToLookInto(batch: EventKind[], run: AgentRun): Promise<void> {
    const look = async () => {
      try {
        await this.#conversations.lookInto(batch, run.agentSessionId);
      } catch (error) {
        if (error instanceof Refusal) throw error;
        this.#conversations.disown(batch);
      }
    };
    await retryStorage(look, (error) => this.#log.fail(error));
  }

  /**
   * Appends a batch of the agent's. One without the turn's end is not appended where the log would be larger than it may.
   *
   * @param terminal - Its last event, where that ends the turn.
   * @param leftMs - What the whole turn has left.
   * @returns Whether there was room for it.
   */
  appendBatch(
    batch: readonly EventKind[],
    run: AgentRun,
    terminal: TerminalKind | undefined,
    leftMs: number,
  ): boolean {
    const kinds = this.#durable(batch, run, leftMs);
    if (kinds.length === 0) return true;
    if (terminal === undefined) return this.#append(kinds, {}, this.#limits.maxTurnBytes);
    kinds.splice(-1, 0, ...this.#approvals.withdrawAll());
    return this.#append(kinds, { terminal, modelTurns: run.modelTurns });
  }

  /**
   * Appends an event that is not the agent's, behind what the agent said. Answers its sequence.
   *
   * @param caller - Who brought it about. Undefined: the server.
   */
  append(kind: EventKind, steer?: SteerRequest, caller?: Caller): number {
    const [own, before] = this.#withoutSecrets(kind);
    if (before.length > 0) this.#append(before, {});
    const sequence = this.#log.nextSequence;
    this.#append([own], { steer }, Infinity, caller);
    return sequence;
  }

  /** Appends an end that the agent did not give, and what it withdraws. */
  appendEnd(terminal: TerminalKind, run?: AgentRun): void {
    const [end, before] = this.#withoutSecrets(terminal);
    const modelTurns = run?.modelTurns;
    this.#append([...before, ...this.#approvals.withdrawAll(), end], { terminal, modelTurns });
  }

  /** Gives up what the store has not taken. */
  discardUnrecorded(): void {
    const discarded = this.#log.discardUnrecorded();
    this.#approvals.undo(discarded.map((event) => decodeEvent(event).kind)); // 2.
  }

  /**
   * Has what callers decided and the store did not take be withdrawn: they were told so, and the agent never heard of it. The
   * rest stays as it is, to be recorded with the end.
   */
  withdrawUnrecorded(): void {
    this.#log.rewriteUnrecorded((kind) => this.#approvals.withdrawn(kind));
  }

  #append(
    kinds: readonly EventKind[],
    more: AppendedWith,
    limitBytes = Infinity,
    caller?: Caller,
  ): boolean {
    let isAppended = false;
    try {
      const events = this.#log.encode(kinds);
      isAppended = this.#log.bytes + byteLength(events) <= limitBytes;
      const awaitsApproval = !this.#approvals.isEmpty;
      const agentSessionId = this.#conversations.current;
      const audit = this.#log.auditOf(kinds, caller);
      const approvals = approvalsIn(kinds);
      const notifications = notificationsOf(kinds, this.#log.nextSequence, this.#toldKinds);
      const also = { awaitsApproval, agentSessionId, approvals, notifications, audit };
      if (isAppended) {
        this.#told.appended(kinds);
        this.#log.append(events, { ...more, ...also });
      }
    } finally {
      if (!isAppended) this.#approvals.undo(kinds); // 2.
    }
    return isAppended;
  }

  /** What of an agent's batch goes on record, made to fit. The text that the agent is writing is only shown. */
  #durable(batch: readonly EventKind[], run: AgentRun, leftMs: number): EventKind[] {
    const { approvalMs, maxEventBytes } = this.#limits;
    // Not past the turn's own end.
    const expireMs = Math.min(approvalMs, leftMs);
    const afterSequence = this.#log.nextSequence - 1;
    const durable: EventKind[] = [];
    for (const each of this.#redaction?.take(batch) ?? batch) {
      const kind = this.#askable(each, run);
      if (!this.#hasText && hasText(kind)) {
        this.#hasText = true;
        this.#told.wrote();
      }
      const sequence = afterSequence + durable.length + 1;
      const isDurable = kind.case !== "textDelta" && this.#approvals.note(kind, expireMs, sequence);
      if (isDurable) durable.push(kind);
      this.textDeltas.take(kind, afterSequence + durable.length);
    }
    this.textDeltas.tell();
    for (const kind of durable) boundEvent(kind, maxEventBytes);
    return durable;
  }

  /** An event as it goes on record, and the agent's that waited for what comes behind them. */
  #withoutSecrets(kind: EventKind): [own: EventKind, before: EventKind[]] {
    const before = this.#redaction?.take([kind]).slice(0, -1) ?? [];
    for (const each of [...before, kind]) boundEvent(each, this.#limits.maxEventBytes);
    return [kind, before];
  }

  /** What nobody could see whole nobody is asked about: it is denied, and the event says so. */
  #askable(kind: EventKind, run: AgentRun): EventKind {
    if (kind.case !== "approvalRequest") return kind;
    boundEvent(kind, this.#limits.maxEventBytes);
    if (isSeenWhole(kind.value)) return kind; // 1.
    run.answer(kind.value.approvalId, unseenAnswer(kind.value));
    return unseenNotice(kind.value);
  }
}

function hasText({ case: kind, value }: EventKind): boolean {
  return (kind === "text" || kind === "textDelta") && value.text !== "";
}
