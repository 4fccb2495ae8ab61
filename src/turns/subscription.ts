import { create } from "@bufbuild/protobuf";
import {
  CheckpointEventSchema,
  type TurnEvent,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import { notFound } from "../errors.ts";
import type { Store, TurnRecord } from "../store/store.ts";
import { createTransientEvent, type EncodedEvent } from "./encoded-event.ts";
import type { LiveTurn } from "./live-turn.ts";

/** What a subscription reads from. */
export interface SubscribedTurn {
  /** The turn as it was on record when the subscription began. */
  readonly record: TurnRecord;
  /** The turn itself where it had no end on record when the subscription began. */
  readonly live: LiveTurn | undefined;
}

/** Durable events as they are on disk, in order, or one event that is not durable. */
export type StreamPiece =
  | { readonly encoded: readonly EncodedEvent[] }
  | { readonly transient: TurnEvent };

/** At least so often something is sent. */
const CHECKPOINT_MS = 15_000;
const READ_BYTES = 256 * 1024;

/**
 * Reads a turn from after a sequence to its terminal event: a checkpoint, every event once and in order, a checkpoint
 * where the reader has caught up, and one after each 15 s of silence.
 *
 * Holds a cursor and no queue: it reads on when the next piece is asked for. Ends when `signal` aborts, and lets go of
 * the turn then even where nobody asks for a next piece any more.
 *
 * @throws Refusal STORAGE where the store fails under it.
 */
export async function* subscribe(
  turn: SubscribedTurn,
  store: Store,
  afterSequence: number,
  signal: AbortSignal,
): AsyncGenerator<StreamPiece> {
  const { record, live } = turn;
  const lastSequence = () => live?.lastSequence ?? record.lastSequence;
  const state = () => live?.state ?? record.state;
  const checkpoint = (caughtUp: boolean): StreamPiece => {
    const value = create(CheckpointEventSchema, { sequence: cursor, state: state(), caughtUp });
    return { transient: createTransientEvent(record, { case: "checkpoint", value }) };
  };
  let cursor = afterSequence;
  const endAtStart = lastSequence();
  let caughtUp = cursor >= endAtStart;
  yield checkpoint(caughtUp);
  const news = live && new News(live, signal);
  try {
    while (!signal.aborted) {
      const isOver = live === undefined || state() !== TurnState.RUNNING;
      const end = lastSequence();
      while (cursor < end && !signal.aborted) {
        const events =
          live?.after(cursor) ?? (await store.readEvents(record.turnId, cursor, READ_BYTES));
        if (events.length === 0) throw notFound("turn"); // Deleted under its reader.
        // Never past `end`: what came meanwhile is read with the state that belongs to it.
        const encoded = events.length > end - cursor ? events.slice(0, end - cursor) : events;
        cursor += encoded.length;
        yield { encoded };
      }
      if (isOver) return;
      if (!caughtUp && cursor >= endAtStart) {
        caughtUp = true;
        yield checkpoint(true);
      }
      if (live.failure !== undefined) throw live.failure;
      if (cursor >= lastSequence() && state() === TurnState.RUNNING) {
        const heard = await news?.within(CHECKPOINT_MS);
        if (!heard && !signal.aborted) yield checkpoint(false);
      }
    }
  } finally {
    news?.stop();
  }
}

/** Waits for a turn's changes, one waiter at a time, with one listener and one timer however often it waits. */
class News {
  readonly #signal: AbortSignal;
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  #finish: ((heard: boolean) => void) | undefined;

  constructor(turn: LiveTurn, signal: AbortSignal) {
    this.#signal = signal;
    this.#stopListening = turn.listen(() => this.#finish?.(true));
    signal.addEventListener("abort", this.stop);
    if (signal.aborted) this.stop();
  }

  /** Resolves true at the next change, false after `ms` or when the signal aborts. */
  within(ms: number): Promise<boolean> {
    if (this.#signal.aborted) return Promise.resolve(false);
    this.#timer?.refresh();
    this.#timer ??= setTimeout(() => this.#finish?.(false), ms);
    return new Promise((resolve) => {
      this.#finish = (heard) => {
        this.#finish = undefined;
        resolve(heard);
      };
    });
  }

  /** Lets go of the turn. Idempotent. */
  readonly stop = (): void => {
    this.#stopListening();
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.stop);
    this.#finish?.(false);
  };
}
