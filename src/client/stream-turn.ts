import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { BreakglassClient } from "./breakglass-client.ts";
import { type BackOff, DEFAULT_BACK_OFF, Outage } from "./outage.ts";
import { randomUuid } from "./random-uuid.ts";
import { SilenceError, TurnCall, type TurnMessage } from "./turn-call.ts";
import { endsTurn, StreamCutError, type TurnToRead } from "./turn-events.ts";
import { TurnPlace } from "./turn-place.ts";

/** What became of the connection, for telling a person. */
export type ConnectionChange =
  | {
      readonly state: "lost";
      /** Why: a ConnectError, StreamCutError, SilenceError or SequenceGapError. */
      readonly error: unknown;
      /** When the next try begins. */
      readonly retryInMs: number;
      /** How many calls failed since something new was read; 1 for the first. */
      readonly failures: number;
      /** Whether the server was ever heard. */
      readonly wasConnected: boolean;
    }
  /** The server was heard again. */
  | { readonly state: "back" };

/** How a turn is streamed. */
export interface StreamTurnOptions {
  /** Ends the reading at once, never the turn. */
  readonly signal?: AbortSignal | undefined;
  /** What differs from {@link DEFAULT_BACK_OFF}. */
  readonly backOff?: Partial<BackOff>;
  /**
   * The longest silence before a connection is taken for dead, in milliseconds; 40,000 unless told. The server is never
   * silent for longer than 15 s.
   */
  readonly silenceMs?: number;
  /** Told of every connection that is lost, and of the one that takes its place. What it throws ends the stream. */
  readonly onConnection?: (change: ConnectionChange) => void;
  /**
   * Called where a connection is taken for dead, before the next call: closes what the transport holds open. Needed
   * where calls share a connection, as over HTTP/2 in Node: the next one would go into the same silence.
   */
  readonly dropConnection?: () => void;
}

const SILENCE_MS = 40_000;
/** How long the end of a stream is waited for after the turn's own. */
const FINISH_MS = 1000;
const STREAM_CUT = "the stream ended before its turn";

/** What {@link streamTurn} answers: an iterator that can be left at any time. */
export interface TurnStream extends AsyncIterableIterator<TurnEvent, void, undefined> {
  /** Leaves at once, also while a `next` is pending, which then answers that it is done. */
  return(): Promise<IteratorResult<TurnEvent, void>>;
}

/** The reason where the reader itself has left: that is no error. */
const LEFT = new Error("the reader left");

/**
 * Streams one turn to its end over as many connections as that takes: every durable event once and in order, from the
 * first for a `run`, from after `after_sequence` for an `attach`. Ends after the terminal event, or after the checkpoint
 * of a turn that had ended before.
 *
 * A `run` without a `request_id` gets one, so that a start whose answer was lost is joined, and never run twice. Once the
 * turn's id is known, it goes on by AttachTurn.
 *
 * Events that are not durable read as of one stream too: of the checkpoints that open a connection only the first is
 * delivered, `caught_up` is said once, and deltas that were sent during an outage do not come again: the `text` that
 * follows is what counts.
 *
 * Leaving the loop (or `return`) and `signal` end the call and every wait at once, and never the turn.
 *
 * @throws ConnectError where the server refuses for good, or was not reached for as long as `backOff` says: the last
 * failure. Likewise StreamCutError, SilenceError and SequenceGapError. The reason of `signal` where that aborts.
 */
export function streamTurn(
  client: BreakglassClient,
  turn: TurnToRead,
  options: StreamTurnOptions = {},
): TurnStream {
  const left = new AbortController();
  const events = readToEnd(client, turn, options, left);
  return {
    next: () => events.next(),
    return() {
      // A generator's own `return` waits for the `next` that is pending.
      left.abort(LEFT);
      return events.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* readToEnd(
  client: BreakglassClient,
  turn: TurnToRead,
  options: StreamTurnOptions,
  left: AbortController,
): AsyncGenerator<TurnEvent, void, undefined> {
  const { signal } = options;
  const leave = () => left.abort(signal?.reason);
  signal?.addEventListener("abort", leave);
  if (signal?.aborted) leave();
  const place = placeOf(turn);
  const open = callsOf(client, turn, place);
  const outage = new Outage({ ...DEFAULT_BACK_OFF, ...options.backOff });
  try {
    for (;;) {
      const failure = yield* readCall(open, place, outage, options, left.signal);
      if (failure === undefined || left.signal.reason === LEFT) return;
      left.signal.throwIfAborted();
      const retryInMs = outage.failed(failure);
      if (retryInMs === undefined) throw failure;
      tellLoss(failure, retryInMs, outage, options);
      await wait(retryInMs, left.signal);
    }
  } finally {
    signal?.removeEventListener("abort", leave);
  }
}

/** Reads one call. Returns why it failed; undefined where the turn is over. */
async function* readCall(
  open: (signal: AbortSignal) => AsyncIterable<TurnMessage>,
  place: TurnPlace,
  outage: Outage,
  { silenceMs = SILENCE_MS, onConnection }: StreamTurnOptions,
  left: AbortSignal,
): AsyncGenerator<TurnEvent, unknown, undefined> {
  if (left.aborted) return left.reason;
  const call = new TurnCall(open, silenceMs, left);
  place.reconnect();
  try {
    // A turn that had ended is said to have, and then read: only the stream's end tells that nothing follows.
    let hadEnded = false;
    for (;;) {
      const before = place.sequence;
      let event: TurnEvent | undefined;
      let fresh: TurnEvent | undefined;
      try {
        event = await call.next();
        fresh = event && place.take(event);
      } catch (error) {
        return error;
      }
      if (event === undefined) return hadEnded ? undefined : new StreamCutError(STREAM_CUT);
      if (outage.heard(place.sequence > before)) onConnection?.({ state: "back" });
      if (fresh !== undefined) yield fresh;
      hadEnded = endsTurn(event);
      if (hadEnded && event.sequence > 0) {
        await call.finish(FINISH_MS);
        return undefined;
      }
    }
  } finally {
    call.close();
  }
}

function placeOf(turn: TurnToRead): TurnPlace {
  if ("run" in turn) return new TurnPlace("", 0);
  return new TurnPlace(turn.attach.turnId ?? "", turn.attach.afterSequence ?? 0);
}

/** What makes the next call: the start until the turn's id is known, and then what goes on from where the reading is. */
function callsOf(client: BreakglassClient, turn: TurnToRead, place: TurnPlace) {
  const run = "run" in turn && { ...turn.run, requestId: turn.run.requestId || randomUuid() };
  const { textDeltas = false } = "run" in turn ? turn.run : turn.attach;
  return (signal: AbortSignal): AsyncIterable<TurnMessage> => {
    const { turnId, sequence } = place;
    if (run && turnId === "") return client.runTurn(run, { signal });
    return client.attachTurn({ turnId, afterSequence: sequence, textDeltas }, { signal });
  };
}

function tellLoss(
  error: unknown,
  retryInMs: number,
  { failures, isHeard: wasConnected }: Outage,
  { dropConnection, onConnection }: StreamTurnOptions,
): void {
  if (error instanceof SilenceError) dropConnection?.();
  onConnection?.({ state: "lost", error, retryInMs, failures, wasConnected });
}

/** Resolves after so many milliseconds, or when the signal aborts. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish);
    if (signal.aborted) finish();
  });
}
