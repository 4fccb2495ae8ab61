import { create } from "@bufbuild/protobuf";
import { isLive } from "#client/turn-state";
import {
  CheckpointEventSchema,
  type TurnEvent,
  type TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import { dataLost, notFound, Refusal } from "../errors.ts";
import type { TurnRecord } from "../store/records.ts";
import { createTransientEvent, type EncodedEvent } from "./encoded-event.ts";
import type { LiveTurn, StopListening } from "./live-turn.ts";
import type { EventSource } from "./shared-reads.ts";
import { TextDeltaReader } from "./text-deltas.ts";

/** What a subscription reads from. */
export interface SubscribedTurn {
  /** The turn as it was on record when the subscription began. */
  readonly record: TurnRecord;
  /**
   * The turn itself where it had no end on record when the subscription began, whether it runs here or elsewhere. Undefined:
   * it has ended, as `record` says.
   */
  readonly live: LiveTurn | undefined;
}

/** From where on a turn is read, and what. */
export interface ReadFrom {
  /** Only events after this sequence. */
  readonly afterSequence: number;
  /** Pieces of text too, as the agent writes it. */
  readonly textDeltas: boolean;
}

/** Where a subscription's events go, in order. */
export interface EventSink {
  /** Whether it should be given nothing more now. */
  readonly isFull: boolean;
  /** Takes a durable event, as it is on disk. */
  write(event: EncodedEvent): void;
  /** Takes an event that is not durable. */
  writeTransient(event: TurnEvent): void;
  /** Has `listener` called whenever it is full no longer. */
  onRoom(listener: () => void): void;
}

/** At least every 15 s something is owed; a busy machine is late. */
const CHECKPOINT_MS = 14_000;
/** What is read from the store ahead of a reader; a thousand that take nothing hold a thousand times as much. */
const READ_BYTES = 16 * 1024;

/**
 * One reader of a turn, from after a sequence to its terminal event: a checkpoint, every event once and in order, a
 * checkpoint where the reader has caught up, and one after each 15 s of silence. Who wants it is also shown the text that
 * the agent is writing: in pieces, where it has every event and its sink has room, and else joined with what comes later.
 *
 * A cursor and no queue: it reads on when its sink has room. While it waits it is a listener and a timer, and no promise:
 * what thousands of readers hold from one event to the next grows old, and is what the collector has to carry (measured:
 * with a generator for each, a fifth of the server's time).
 *
 * 1. A reader's mistakes are its own: nothing that its sink throws reaches the turn.
 * 2. After `close`, or once its signal aborts, it holds nothing of the turn.
 */
export class Subscription {
  /** What every stream begins with: where its reader stands. */
  readonly checkpoint: TurnEvent;
  readonly #record: TurnRecord;
  readonly #live: LiveTurn | undefined;
  readonly #source: EventSource;
  readonly #signal: AbortSignal;
  readonly #endAtStart: number;
  readonly #pieces: TextDeltaReader | undefined;
  readonly #over = Promise.withResolvers<void>();
  #isOver = false;
  #cursor: number;
  #isCaughtUp: boolean;
  #sink: EventSink | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #stopListening: StopListening[] = [];
  #isReading = false;
  /** Events of the store that the sink had no room for. */
  #held: readonly EncodedEvent[] = [];

  /** @param signal - Ends it. */
  constructor(
    { record, live }: SubscribedTurn,
    source: EventSource,
    { afterSequence, textDeltas }: ReadFrom,
    signal: AbortSignal,
  ) {
    this.#record = record;
    this.#live = live;
    this.#source = source;
    this.#signal = signal;
    this.#cursor = afterSequence;
    this.#endAtStart = this.#lastSequence;
    this.#isCaughtUp = afterSequence >= this.#endAtStart;
    if (textDeltas && live?.textDeltas) this.#pieces = new TextDeltaReader(live.textDeltas);
    this.checkpoint = this.#createCheckpoint(this.#isCaughtUp);
  }

  /** All events up to here were given to the sink. */
  get cursor(): number {
    return this.#cursor;
  }

  /** What it keeps for a sink that has no room, in bytes. */
  get heldBytes(): number {
    return this.#held.reduce((sum, event) => sum + event.length, 0);
  }

  /**
   * Gives the sink everything behind the first checkpoint. To be called once. Resolves after the terminal event, or when
   * the signal aborts or it is closed.
   *
   * @throws Refusal STORAGE where the store fails under it.
   */
  deliver(sink: EventSink): Promise<void> {
    this.#sink = sink;
    if (this.#signal.aborted) this.close();
    if (!this.#isOver) {
      this.#signal.addEventListener("abort", this.close);
      sink.onRoom(this.#pump);
      if (this.#live !== undefined) {
        this.#stopListening.push(this.#live.log.listen(this.#pump));
        if (this.#pieces) this.#stopListening.push(this.#pieces.listen(this.#pump));
        this.#timer = setTimeout(this.#breakSilence, CHECKPOINT_MS);
      }
      this.#pump();
    }
    return this.#over.promise;
  }

  /** Ends it. Idempotent. */
  readonly close = (): void => {
    this.#end();
  };

  /** Has `deliver` reject: its reader may be told nothing more. */
  fail(error: Error): void {
    this.#end(error);
  }

  get #lastSequence(): number {
    return this.#live?.log.lastSequence ?? this.#record.lastSequence;
  }

  get #state(): TurnState {
    return this.#live?.log.state ?? this.#record.state;
  }

  /** Gives what there is and what fits. Answers whether nothing of the turn's events is left to be given. */
  readonly #pump = (): boolean => {
    try {
      while (!this.#isOver && !this.#isReading && !this.#sink!.isFull) {
        if (!this.#step(this.#sink!)) return true;
      }
    } catch (error) {
      this.#end(error as Error);
    }
    return this.#isOver;
  };

  /** Does the next thing that is to be done; answers false where there is nothing. */
  #step(sink: EventSink): boolean {
    const isLast = this.#live === undefined || !isLive(this.#state);
    // Not past what was the end at the start before the reader has heard that it is there.
    const last = this.#isCaughtUp ? this.#lastSequence : this.#endAtStart;
    if (this.#cursor < last) {
      const events = this.#held.length > 0 ? this.#held : this.#live?.log.after(this.#cursor);
      if (events === undefined) void this.#readStore();
      else this.#give(events, last, sink);
      return true;
    }
    // A stream that begins after the end has nothing to catch up with.
    if (!this.#isCaughtUp && !(isLast && this.#cursor >= this.#lastSequence)) {
      this.#isCaughtUp = true;
      sink.writeTransient(this.#createCheckpoint(true));
      return true;
    }
    if (isLast) this.#end();
    else if (this.#live?.log.failure !== undefined) this.#end(this.#live.log.failure);
    else if (this.#pieces !== undefined) {
      const piece = this.#pieces.next(this.#cursor);
      if (piece !== undefined) {
        sink.writeTransient(createTransientEvent(this.#record, piece));
        return true;
      }
    }
    this.#timer?.refresh();
    return false;
  }

  /** Never past `last`: what came meanwhile is read with the state that belongs to it. */
  #give(events: readonly EncodedEvent[], last: number, sink: EventSink): void {
    const most = Math.min(events.length, last - this.#cursor);
    let given = 0;
    try {
      while (given < most && !sink.isFull) sink.write(events[given++]!);
    } catch (error) {
      throw damagedAt(this.#cursor + given, error);
    }
    this.#cursor += given;
    if (this.#held.length > 0) this.#held = this.#held.slice(given);
  }

  async #readStore(): Promise<void> {
    this.#isReading = true;
    try {
      const events = await this.#source.readEvents(this.#record.turnId, this.#cursor, READ_BYTES);
      if (events.length === 0) throw notFound("turn"); // Deleted under its reader.
      if (!this.#isOver) this.#held = events;
    } catch (error) {
      this.#end(error as Error);
    }
    this.#isReading = false;
    this.#pump();
  }

  readonly #breakSilence = (): void => {
    // Who takes nothing for so long reads it again from the store.
    if (this.#sink!.isFull) this.#held = [];
    else this.#sink!.writeTransient(this.#createCheckpoint(false));
    this.#timer?.refresh();
  };

  #createCheckpoint(caughtUp: boolean): TurnEvent {
    const sequence = this.#cursor;
    const value = create(CheckpointEventSchema, { sequence, state: this.#state, caughtUp });
    return createTransientEvent(this.#record, { case: "checkpoint", value });
  }

  #end(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const stop of this.#stopListening.splice(0)) stop();
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.close);
    this.#held = [];
    if (error === undefined) this.#over.resolve();
    else this.#over.reject(error);
  }
}

/** Says which event it is that cannot be read, and how to read on. */
function damagedAt(sequence: number, error: unknown): unknown {
  if (!(error instanceof Refusal) || error.reason !== "DATA_LOSS") return error;
  const message = `event ${sequence} of the turn is damaged in the store: attach after ${sequence} for what follows`;
  return dataLost(message, { sequence: String(sequence) });
}
