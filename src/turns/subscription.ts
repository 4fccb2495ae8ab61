import { create } from "@bufbuild/protobuf";
import {
  CheckpointEventSchema,
  type TurnEvent,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import { notFound } from "../errors.ts";
import type { Store, TurnRecord } from "../store/store.ts";
import { createTransientEvent, type EncodedEvent } from "./encoded-event.ts";
import type { RunningTurn } from "./running-turn.ts";

/** What a subscription reads from. */
export interface SubscribedTurn {
  /** The turn as it was on record when the subscription began. */
  readonly record: TurnRecord;
  /** The turn itself where it ran when the subscription began. */
  readonly running: RunningTurn | undefined;
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
 * Holds a cursor and no queue: it reads on when the next piece is asked for. Ends when `signal` aborts.
 *
 * @throws Refusal STORAGE where the store fails under it.
 */
export async function* subscribe(
  turn: SubscribedTurn,
  store: Store,
  afterSequence: number,
  signal: AbortSignal,
): AsyncGenerator<StreamPiece> {
  const { record, running } = turn;
  const lastSequence = () => running?.lastSequence ?? record.lastSequence;
  const state = () => running?.state ?? record.state;
  const checkpoint = (caughtUp: boolean): StreamPiece => {
    const value = create(CheckpointEventSchema, { sequence: cursor, state: state(), caughtUp });
    return { transient: createTransientEvent(record, { case: "checkpoint", value }) };
  };
  let cursor = afterSequence;
  const endAtStart = lastSequence();
  let caughtUp = cursor >= endAtStart;
  yield checkpoint(caughtUp);
  while (!signal.aborted) {
    const isOver = state() !== TurnState.RUNNING;
    const end = lastSequence();
    while (cursor < end && !signal.aborted) {
      const events =
        running?.after(cursor) ?? (await store.readEvents(record.turnId, cursor, READ_BYTES));
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
    if (running?.failure !== undefined) throw running.failure;
    if (cursor >= lastSequence() && running !== undefined && state() === TurnState.RUNNING) {
      const changed = await changeWithin(running, CHECKPOINT_MS, signal);
      if (!changed && !signal.aborted) yield checkpoint(false);
    }
  }
}

/** Resolves true at the turn's next change, false after `ms` or when the signal aborts. */
function changeWithin(turn: RunningTurn, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (changed: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(changed);
    };
    const onAbort = () => finish(false);
    const timer = setTimeout(onAbort, ms);
    signal.addEventListener("abort", onAbort, { once: true });
    void turn.changed.then(() => finish(true));
  });
}
