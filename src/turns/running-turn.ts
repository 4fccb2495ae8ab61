import { mkdir } from "node:fs/promises";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { Agent, AgentRun, EventKind, TerminalKind } from "../agent/agent.ts";
import { isTerminal } from "../agent/agent.ts";
import { Refusal, storageFailed } from "../errors.ts";
import type { Log } from "../log.ts";
import type { SessionRecord, Store, TurnRecord } from "../store/store.ts";
import { boundEvent } from "./bounded-event.ts";
import { type EncodedEvent, encodeEvents } from "./encoded-event.ts";
import { type Listener, Listeners, type LiveTurn, type StopListening } from "./live-turn.ts";
import { retryStorage } from "./retry-storage.ts";
import { Tail, type TailShares } from "./tail.ts";
import { endStateOf, errorEvent, type TurnEnd } from "./turn-end.ts";

/** Bounds of one turn. */
export interface TurnLimits {
  /** From its record to its end, in milliseconds. */
  readonly timeoutMs: number;
  /** Between two lines of the agent, in milliseconds. */
  readonly idleTimeoutMs: number;
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

/** What may be on its way to the disk before the agent has to wait. */
const UNCOMMITTED_BYTES = 1024 * 1024;

/**
 * A turn while it runs: the only writer of its log.
 *
 * 1. Sequences are given in the order in which the agent's events came, without gaps.
 * 2. An event is published (`lastSequence`, `after`) only once the store has it on disk.
 * 3. The first cause of an end wins; exactly one terminal event is appended, and nothing after it.
 * 4. A cause that is not the agent's own is recorded only once no process of the turn is left.
 */
export class RunningTurn implements LiveTurn {
  readonly turnId: string;
  readonly sessionId: string;
  /** Resolves when the terminal event is on disk. Never rejects. */
  readonly ended: Promise<void>;
  /** Resolves when no process of the turn is left. Never rejects. */
  readonly gone: Promise<void>;

  readonly #record: TurnRecord;
  readonly #session: SessionRecord;
  readonly #limits: TurnLimits;
  readonly #surroundings: TurnSurroundings;
  readonly #tail: Tail;
  readonly #timers: { turn?: NodeJS.Timeout; idle?: NodeJS.Timeout } = {};
  readonly #aborted = new AbortController();
  readonly #listeners = new Listeners();

  #run: AgentRun | undefined;
  #state: TurnState = TurnState.RUNNING;
  #failure: Error | undefined;
  #end: TurnEnd | "agent" | undefined;
  #lastSequence = 0;
  #nextSequence = 1;
  #logBytes = 0;
  #uncommittedBytes = 0;
  #committed: Promise<void> = Promise.resolve();
  #agentSessionId: string;
  readonly #gone = Promise.withResolvers<void>();

  /**
   * Begins to run a turn that is on record.
   *
   * @param processId - The id that its processes carry.
   * @param ready - Resolves when the processes of the session's turn before are gone.
   */
  constructor(
    record: TurnRecord,
    session: SessionRecord,
    processId: string,
    limits: TurnLimits,
    surroundings: TurnSurroundings,
    ready: Promise<void>,
  ) {
    this.turnId = record.turnId;
    this.sessionId = record.sessionId;
    this.#record = record;
    this.#session = session;
    this.#limits = limits;
    this.#surroundings = surroundings;
    this.#agentSessionId = session.agentSessionId;
    this.gone = this.#gone.promise;
    this.#timers.turn = setTimeout(() => this.#timeOut(), limits.timeoutMs);
    this.#tail = new Tail(surroundings.tails);
    this.ended = this.#live(processId, ready).finally(surroundings.tails.add());
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

  async #live(processId: string, ready: Promise<void>): Promise<void> {
    try {
      await this.#follow(processId, ready);
    } catch (error) {
      this.#surroundings.log.error("a turn failed by a defect", { turnId: this.turnId, error });
      const message = "the server failed to follow the agent; its log has the details";
      void this.stop({ reason: ErrorReason.AGENT_PROTOCOL, message });
    }
    if (this.#end !== "agent") await this.#run?.stop();
    this.#clearTimers();
    await this.#committed;
    void this.#recordGone();
    if (this.#state === TurnState.RUNNING) await this.#appendEnd();
  }

  /** Has the agent run the turn and appends what it does, until it has given its terminal event or is stopped. */
  async #follow(processId: string, ready: Promise<void>): Promise<void> {
    const { workspace } = this.#session;
    await Promise.race([ready, onAbort(this.#aborted.signal)]);
    // A mistake here (a file in its place, no permission) is for the agent to find and to explain.
    await mkdir(workspace, { mode: 0o700 }).catch(() => {});
    if (this.#end !== undefined) return;
    const { prompt, model, agent } = this.#record;
    const agentSessionId = this.#agentSessionId;
    const turn = { workspace, agentSessionId, prompt, model, agent, processId };
    this.#run = this.#surroundings.agent.start(turn);
    this.#timers.idle = setTimeout(() => this.#idle(), this.#limits.idleTimeoutMs);
    for await (const batch of this.#run.events) {
      this.#timers.idle.refresh();
      // After another cause the agent is read on only for its usage, and so that it can exit.
      if (this.#end !== undefined || batch.length === 0) continue;
      this.#take(batch);
      if (this.#uncommittedBytes > UNCOMMITTED_BYTES) await this.#committed;
    }
  }

  #take(batch: EventKind[]): void {
    for (const kind of batch) boundEvent(kind, this.#limits.maxEventBytes);
    const last = batch.at(-1)!;
    const terminal = isTerminal(last) ? last : undefined;
    const events = this.#encode(batch);
    if (terminal === undefined && this.#logBytes > this.#limits.maxTurnBytes) {
      const message = `the turn's log reached its limit of ${this.#limits.maxTurnBytes} bytes (BREAKGLASS_MAX_TURN_BYTES)`;
      void this.stop({ reason: ErrorReason.OUTPUT_LIMIT, message });
      return;
    }
    if (terminal !== undefined) this.#end = "agent";
    this.#append(events, terminal);
  }

  #encode(kinds: readonly EventKind[]): EncodedEvent[] {
    const events = encodeEvents(this, this.#nextSequence, Date.now(), kinds);
    this.#logBytes += byteLength(events);
    return events;
  }

  #append(events: EncodedEvent[], terminal: TerminalKind | undefined): void {
    const bytes = byteLength(events);
    this.#uncommittedBytes += bytes;
    const appended = this.#store(events, terminal);
    // The store answers in the order in which it was asked: behind the last one all are on disk.
    this.#committed = appended.then(
      () => {
        this.#uncommittedBytes -= bytes;
      },
      (error: Error) => this.#lose(error),
    );
  }

  /** Appends and, once that is on disk, publishes. */
  async #store(events: EncodedEvent[], terminal: TerminalKind | undefined): Promise<void> {
    const first = this.#nextSequence;
    this.#nextSequence += events.length;
    const agentSessionId = this.#run?.agentSessionId ?? this.#agentSessionId;
    const end = terminal && endStateOf(terminal);
    await this.#surroundings.store.append({
      turnId: this.turnId,
      firstSequence: first,
      events,
      time: Date.now(),
      ...(agentSessionId === this.#agentSessionId ? {} : { agentSessionId }),
      ...(end === undefined ? {} : { end }),
    });
    this.#agentSessionId = agentSessionId;
    this.#tail.push(first, events);
    this.#lastSequence = first + events.length - 1;
    if (end !== undefined) this.#state = end.state;
    // Whoever has not taken them wants them soon; nobody else does.
    if (this.#listeners.call()) this.#tail.clear();
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
        return this.#store(this.#encode([terminal]), terminal);
      },
      (error) => this.#lose(error),
    );
  }

  async #recordGone(): Promise<void> {
    await this.#run?.gone;
    this.#gone.resolve();
    // Where this is not recorded the next start looks for the processes once more.
    await this.#surroundings.store.recordProcessesGone(this.turnId).catch(() => {});
  }

  #timeOut(): void {
    const message = `the turn took longer than ${this.#limits.timeoutMs / 1000} s`;
    void this.stop({ reason: ErrorReason.TURN_TIMEOUT, message });
  }

  #idle(): void {
    const message = `the agent printed nothing for ${this.#limits.idleTimeoutMs / 1000} s`;
    void this.stop({ reason: ErrorReason.IDLE_TIMEOUT, message });
  }

  #clearTimers(): void {
    clearTimeout(this.#timers.turn);
    clearTimeout(this.#timers.idle);
  }
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
