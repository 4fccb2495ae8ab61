import type { TurnEvent } from "../../../gen/breakglass/v1/event_pb.ts";
import type { BreakglassClient } from "./breakglass-client.ts";
import { closingOf } from "./connection-closed.ts";
import { randomUuid } from "./random-uuid.ts";
import {
  type Reading,
  type ResumingStream,
  resume,
  type StreamOptions,
  type Taken,
} from "./resuming-stream.ts";
import { endsTurn, refuseNeither, StreamCutError, type TurnToRead } from "./turn-events.ts";
import { TurnPlace } from "./turn-place.ts";

/** What {@link streamTurn} answers: an iterator that can be left at any time. */
export type TurnStream = ResumingStream<TurnEvent>;

/** A message of either stream. */
interface TurnMessage {
  readonly event?: TurnEvent | undefined;
}

/**
 * Streams one turn to its end over as many connections as that takes: every durable event once and in order, from the
 * first for a `run`, from after `after_sequence` for an `attach`. Ends after the terminal event, or after the checkpoint
 * of a turn that had ended before. Kinds that are unknown pass too.
 *
 * A `run` without a `request_id` gets one, so that a start whose answer was lost is joined, and never run twice. Once the
 * turn's id is known, it goes on by AttachTurn.
 *
 * Events that are not durable read as of one stream too: of the checkpoints that open a connection only the first is
 * delivered, and `caught_up` is said once. With `text_deltas` the pieces of one message join to the text so far over
 * connections too: what was delivered before is not delivered again. They have no place of their own, and the `text` that
 * follows is what counts.
 *
 * Leaving the loop (or `return`) and `signal` end the call and every wait at once, and never the turn.
 *
 * @throws ConnectError where the server refuses for good, or was not reached for as long as `backOff` says: the last
 * failure. Likewise StreamCutError, SilenceError and SequenceGapError. The reason of `signal` where that aborts.
 * @throws TypeError at once where `turn` says neither what to run nor what to attach to.
 */
export function streamTurn(
  client: BreakglassClient,
  turn: TurnToRead,
  options: StreamOptions = {},
): TurnStream {
  return resume(new TurnReading(client, turn), options);
}

class TurnReading implements Reading<TurnMessage, TurnEvent> {
  readonly closing: AbortSignal | undefined;
  readonly #place: TurnPlace;
  readonly #call: (signal: AbortSignal) => AsyncIterable<TurnMessage>;
  /** A turn that had ended is said to have, and then read: only the stream's end tells that nothing follows. */
  #hadEnded = false;

  constructor(client: BreakglassClient, turn: TurnToRead) {
    refuseNeither(turn);
    this.closing = closingOf(client);
    this.#place = placeOf(turn);
    this.#call = callsOf(client, turn, this.#place);
  }

  open(signal: AbortSignal): AsyncIterable<TurnMessage> {
    this.#hadEnded = false;
    this.#place.reconnect();
    return this.#call(signal);
  }

  take({ event }: TurnMessage): Taken<TurnEvent> {
    if (event === undefined) return { fresh: undefined, isNew: false, isLast: false };
    const { sequence } = this.#place;
    const before = this.#place.before(event);
    const fresh = this.#place.take(event);
    this.#hadEnded = endsTurn(event);
    return {
      before,
      fresh,
      isNew: this.#place.sequence > sequence,
      isLast: this.#hadEnded && event.sequence > 0,
    };
  }

  ended(): Error | undefined {
    return this.#hadEnded ? undefined : new StreamCutError("the stream ended before its turn");
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
