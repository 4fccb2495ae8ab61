import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind, TerminalKind } from "../agent/agent.ts";
import { Refusal, storageFailed } from "../errors.ts";
import type { Log } from "../log.ts";
import type { EventBatch, SteerRequest, Store } from "../store/store.ts";
import { byteLength, type EncodedEvent, encodeEvents, type TurnIds } from "./encoded-event.ts";
import { type Listener, Listeners, type LiveLog, type StopListening } from "./live-turn.ts";
import type { RecentEvents } from "./recent-events.ts";
import { retryStorage } from "./retry-storage.ts";
import { tellEnded } from "./told-turns.ts";
import { endRecordOf } from "./turn-end.ts";

/** Where a turn stands when its log is taken up. */
export interface LogStart extends TurnIds {
  /** Of the lease under which it is written. */
  readonly epoch: number;
  readonly state: TurnState;
  readonly lastSequence: number;
  /** When the turn was recorded. Undefined: unknown. */
  readonly createTime?: number;
  /** The agent's conversation that the session has on record. Undefined: unknown. */
  readonly agentSessionId?: string;
}

/** What goes on record with events. */
export interface AppendedWith {
  /** The last of the events, where it ends the turn. */
  readonly terminal?: TerminalKind | undefined;
  /** Whether the turn, where it goes on, waits for an approval from now on. */
  readonly awaitsApproval?: boolean;
  /** The agent's conversation. Undefined: as before. */
  readonly agentSessionId?: string;
  /** The request whose only event is the first of these. */
  readonly steer?: SteerRequest | undefined;
}

/** Events that were given their places, until they are on disk. */
interface Batch {
  readonly record: EventBatch;
  readonly bytes: number;
  /** The turn's, once it is on disk. */
  readonly state: TurnState;
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
  readonly #createTime: number | undefined;
  readonly #recent: RecentEvents | undefined;
  readonly #failed: (error: Error) => void;
  readonly #listeners = new Listeners();
  #state: TurnState;
  #lastSequence: number;
  #failure: Error | undefined;
  /** As it is on record. */
  #agentSessionId: string | undefined;
  #unrecorded: Batch[] = [];
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
    { turnId, sessionId, epoch, state, lastSequence, createTime, agentSessionId }: LogStart,
    { store, log }: { readonly store: Store; readonly log: Log },
    recent?: RecentEvents,
    failed: (error: Error) => void = () => {},
  ) {
    this.#ids = { turnId, sessionId };
    this.epoch = epoch;
    this.#store = store;
    this.#log = log;
    this.#createTime = createTime;
    this.#recent = recent;
    this.#failed = failed;
    this.#state = state;
    this.#lastSequence = lastSequence;
    this.#agentSessionId = agentSessionId;
    this.#nextSequence = lastSequence + 1;
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

  /** Appends events; `settled` and `failure` tell what became of them. */
  append(events: readonly EncodedEvent[], more: AppendedWith = {}): void {
    const batch = this.#batchOf(events, more);
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
      const { turnId } = this.#ids;
      this.#log.error("the store does not take a turn's events", { turnId, error });
      this.#failure = error instanceof Refusal ? error : storageFailed(error.message);
      this.#listeners.call(); // 4.
    }
    this.#failed(error);
  }

  /** Gives up what the store has not taken, and answers with it. To be called when it is settled. */
  discardUnrecorded(): EncodedEvent[] {
    const events = this.#unrecorded.flatMap(({ record }) => record.events);
    this.#unrecorded = [];
    this.#unrecordedBytes = 0;
    this.#nextSequence = this.#lastSequence + 1;
    this.#nextState = this.#state;
    this.#hasEnd = false;
    return events;
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
    await retryStorage(recordAll, (error) => this.fail(error)); // 5.
  }

  #batchOf(events: readonly EncodedEvent[], more: AppendedWith): Batch {
    const { terminal, awaitsApproval = false, agentSessionId, steer } = more;
    const end = terminal && endRecordOf(terminal);
    const state = end?.state ?? stateOf(awaitsApproval, this.#nextState);
    const isConversationNew =
      agentSessionId !== undefined && agentSessionId !== this.#agentSessionId;
    const record = {
      turnId: this.#ids.turnId,
      firstSequence: this.#nextSequence,
      events,
      time: Date.now(),
      ...(isConversationNew ? { agentSessionId } : {}),
      ...(end === undefined && state !== this.#nextState ? { state } : {}),
      ...(steer === undefined ? {} : { steer }),
      ...(end === undefined ? {} : { end }),
    };
    return { record, bytes: byteLength(events), state };
  }

  /** Has the oldest batch that is unrecorded recorded, and publishes it. */
  async #record({ record, bytes, state }: Batch): Promise<void> {
    await this.#store.append(record, this.epoch);
    const { firstSequence, events, agentSessionId } = record;
    this.#unrecorded.shift(); // The store takes none behind one that it did not take.
    this.#unrecordedBytes -= bytes;
    this.#agentSessionId = agentSessionId ?? this.#agentSessionId;
    this.#recent?.push(firstSequence, events);
    this.#lastSequence = firstSequence + events.length - 1; // 2.
    this.#state = state;
    if (record.end !== undefined) tellEnded(this.#log, this.#ids, record.end, this.#createTime);
    // Whoever has not taken them wants them soon; nobody else does.
    if (this.#listeners.call()) this.#recent?.clear();
  }
}

/** The state of a turn that goes on. */
function stateOf(awaitsApproval: boolean, before: TurnState): TurnState {
  if (awaitsApproval) return TurnState.AWAITING_APPROVAL;
  return before === TurnState.AWAITING_APPROVAL ? TurnState.RUNNING : before;
}
