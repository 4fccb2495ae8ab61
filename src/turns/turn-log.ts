import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import type { AuditEntry } from "../audit/entry.ts";
import { Refusal, storageFailed } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import type { TurnEndRecord } from "../store/writes.ts";
import type { Timers } from "../stream/timers.ts";
import { type EncodedEvent, encodeEvents, type TurnIds } from "./encoded-event.ts";
import { type Listener, Listeners, type LiveLog, type StopListening } from "./live-turn.ts";
import { type AppendedWith, batchOf, type LogBatch, rewritten } from "./log-batch.ts";
import type { RecentEvents } from "./recent-events.ts";
import { retryStorage } from "./retry-storage.ts";
import { eventOf, type TurnAudit } from "./turn-audit.ts";

/** Where a turn stands when its log is taken up. */
export interface LogStart extends TurnIds {
  /** Of the lease under which it is written. */
  readonly epoch: number;
  readonly state: TurnState;
  readonly lastSequence: number;
  /** Sequences up to here were given, and their events are lost. Undefined: none. */
  readonly lostUpTo?: number;
  /** The agent's conversation that the session has on record. Undefined: unknown. */
  readonly agentSessionId?: string;
}

/** What a log is written with. */
export interface LogSurroundings {
  /** What is recorded of who does what. */
  readonly audit: TurnAudit;
  readonly store: Store;
  readonly log: Log;
  readonly timers?: Timers | undefined;
  /** Told once the end is on disk. Must not throw. */
  ended(end: TurnEndRecord): void;
}

/**
 * The log of one turn that has not ended: its only writer, and what its readers see of it.
 *
 * 1. Sequences are given in the order in which events are appended, without gaps.
 * 2. An event is published (`lastSequence`, `after`) only once the store has it on disk.
 * 3. What the store has not taken is kept, in its order, until it is taken (`recorded`) or discarded.
 * 4. Once it has failed it says so to its readers until the end is on disk: nobody waits for what may not come.
 * 5. Where its lease has ended (FENCED) it has failed for good: nothing is tried again, and the end is another server's to record.
 */
export class TurnLog implements LiveLog {
  /** Of the lease under which it is written. */
  readonly epoch: number;
  readonly #ids: TurnIds;
  readonly #store: Store;
  readonly #log: Log;
  readonly #timers: Timers | undefined;
  readonly #ended: (end: TurnEndRecord) => void;
  readonly #recent: RecentEvents | undefined;
  readonly #audit: TurnAudit;
  readonly #failed: (error: Error) => void;
  readonly #listeners = new Listeners();
  #state: TurnState;
  #lastSequence: number;
  #failure: Error | undefined;
  /** As it is on record. */
  #agentSessionId: string | undefined;
  /** Goes on the audit chain with what is appended next. */
  #noted: AuditEntry[] = [];
  #unrecorded: LogBatch[] = [];
  #unrecordedBytes = 0;
  #bytes = 0;
  #nextSequence: number;
  /** As of the newest batch, which may be on its way to the disk. */
  #nextState: TurnState;
  #hasEnd = false;
  #settled: Promise<void> = Promise.resolve();

  /**
   * @param recent - Keeps the newest events for readers. Undefined: they ask the store.
   * @param failed - Told each time that the store does not take something.
   */
  constructor(
    start: LogStart,
    { store, log, audit, ended, timers }: LogSurroundings,
    recent?: RecentEvents,
    failed: (error: Error) => void = () => {},
  ) {
    const { turnId, sessionId, state, lastSequence, lostUpTo = 0 } = start;
    this.#ids = { turnId, sessionId };
    this.epoch = start.epoch;
    this.#store = store;
    this.#log = log;
    this.#timers = timers;
    this.#ended = ended;
    this.#audit = audit;
    this.#recent = recent;
    this.#failed = failed;
    this.#state = state;
    this.#lastSequence = lastSequence;
    this.#agentSessionId = start.agentSessionId;
    this.#nextSequence = Math.max(lastSequence, lostUpTo) + 1;
    this.#nextState = state;
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

  /** The sequence of the next event that is appended. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** The terminal event has been appended. */
  get hasEnd(): boolean {
    return this.#hasEnd;
  }

  /** All events that were appended, serialized. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What is on its way to the disk. */
  get unrecordedBytes(): number {
    return this.#unrecordedBytes;
  }

  /** Resolves when the store has answered for all that was appended, whether it took it or not. Never rejects. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  after(sequence: number): readonly EncodedEvent[] | undefined {
    return this.#recent?.after(sequence);
  }

  listen(listener: Listener): StopListening {
    return this.#listeners.add(listener);
  }

  /** Serializes events for `append`, which must be next. */
  encode(kinds: readonly EventKind[]): EncodedEvent[] {
    return encodeEvents(this.#ids, this.#nextSequence, Date.now(), kinds);
  }

  /** Puts entries on the audit chain with the events that are appended next, at the latest with the turn's end. */
  note(entries: readonly AuditEntry[]): void {
    this.#noted.push(...entries);
  }

  /** What the audit says of events that are appended next. @param caller - As `TurnAudit.events`. */
  auditOf(kinds: readonly EventKind[], caller?: Caller): AuditEntry[] {
    return this.#audit.events(this.#ids, kinds, this.#nextSequence, caller);
  }

  /** Appends events; `settled` and `failure` tell what became of them. */
  append(events: readonly EncodedEvent[], more: AppendedWith = {}): void {
    const [agentSessionId, state] = [this.#agentSessionId, this.#nextState];
    const end = { ...this.#ids, nextSequence: this.#nextSequence, state, agentSessionId };
    const audit = [...this.#noted.splice(0), ...(more.audit ?? [])];
    const batch = batchOf(end, events, { ...more, audit });
    this.#unrecorded.push(batch);
    this.#unrecordedBytes += batch.bytes;
    this.#bytes += batch.bytes;
    this.#nextSequence += events.length; // 1.
    this.#nextState = batch.state;
    this.#hasEnd = more.terminal !== undefined;
    // The store answers in the order in which it was asked: behind the last one it has answered for all.
    this.#settled = this.#record(batch).catch((error) => this.fail(error));
  }

  /** Records that a turn that waited runs from now on. Answers whether the store took that. */
  async begin(): Promise<boolean> {
    try {
      await this.#store.beginTurn(this.#ids.turnId, this.epoch);
    } catch (error) {
      this.fail(error as Error);
      return false;
    }
    this.#state = TurnState.RUNNING;
    this.#nextState = TurnState.RUNNING;
    this.#listeners.call();
    return true;
  }

  /** Something that has to be on record before the log can go on is not: readers are told. */
  fail(error: Error): void {
    if (this.#failure === undefined) {
      this.#log.error("the store does not take a turn's events", { ...this.#ids, error });
      this.#failure = error instanceof Refusal ? error : storageFailed(error.message);
      this.#listeners.call(); // 4.
    }
    this.#failed(error);
  }

  /** Gives up what the store has not taken, and answers with it. To be called when it is settled. */
  discardUnrecorded(): EncodedEvent[] {
    const events = this.#unrecorded.flatMap(({ record }) => record.events);
    const audit = this.#unrecorded.flatMap(({ record }) => record.audit ?? []);
    // What somebody did is not undone with them.
    this.#noted.unshift(...audit.filter((entry) => eventOf(entry) === undefined));
    this.#unrecorded = [];
    this.#unrecordedBytes = 0;
    this.#nextSequence = this.#lastSequence + 1;
    this.#nextState = this.#state;
    this.#hasEnd = false;
    return events;
  }

  /** Has other events be recorded in the places of those that the store has not taken. To be called when it is settled. */
  rewriteUnrecorded(rewrite: (kind: EventKind) => EventKind): void {
    const auditOf = (kind: EventKind, sequence: number) =>
      this.#audit.events(this.#ids, [kind], sequence);
    this.#unrecorded = this.#unrecorded.map((batch) => rewritten(batch, rewrite, auditOf));
    this.#unrecordedBytes = this.#unrecorded.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Resolves when all that was appended is on disk, however long the store takes to take it, or never will be by this log
   * (5.). Never rejects.
   */
  async recorded(): Promise<void> {
    await this.#settled;
    const recordAll = async () => {
      for (let next = this.#unrecorded[0]; next !== undefined; next = this.#unrecorded[0]) {
        await this.#record(next); // 3.
      }
    };
    await retryStorage(recordAll, (error) => this.fail(error), this.#timers); // 5.
  }

  /** Has the oldest batch that is unrecorded recorded, and publishes it. */
  async #record({ record, bytes, state }: LogBatch): Promise<void> {
    await this.#store.append(record, this.epoch);
    const { firstSequence, events, agentSessionId } = record;
    this.#unrecorded.shift(); // The store takes none behind one that it did not take.
    this.#unrecordedBytes -= bytes;
    this.#agentSessionId = agentSessionId ?? this.#agentSessionId;
    this.#recent?.push(firstSequence, events);
    this.#lastSequence = firstSequence + events.length - 1; // 2.
    this.#state = state;
    if (record.end !== undefined) this.#ended(record.end);
    // Whoever has not taken them wants them soon; nobody else does.
    if (this.#listeners.call()) this.#recent?.clear();
  }
}
