import type {
  CheckpointEvent,
  TextDeltaEvent,
  TurnEvent,
} from "../../../gen/breakglass/v1/event_pb.ts";
import { TextPieces } from "./text-pieces.ts";

/** The server sent an event, or said it had, that does not follow the one before it. */
export class SequenceGapError extends Error {
  override readonly name = "SequenceGapError";

  /**
   * @param last - The sequence of what was delivered last.
   * @param came - The sequence that came instead of the one after it.
   */
  constructor(last: number, came: number) {
    super(`the server went on with event ${came} after ${last}: what is between them is missing`);
  }
}

/**
 * How far a turn was read, over any number of connections. Makes one stream of them:
 *
 * 1. A durable event passes once, and only where it follows the one before.
 * 2. The checkpoint that opens a connection passes once, and so does the first that says `caught_up`; those that say that
 *    the server is there still, all pass.
 */
export class TurnPlace {
  /** Empty until the server has told it. */
  turnId: string;
  /** Everything up to this sequence was delivered, or was not asked for. */
  sequence: number;
  #isOpened = false;
  #isCaughtUp = false;
  #isAtStart = true;
  /** This connection has brought everything that there was when it began. */
  #isBehind = true;
  readonly #pieces = new TextPieces();

  constructor(turnId: string, sequence: number) {
    this.turnId = turnId;
    this.sequence = sequence;
  }

  /** What comes next comes over another connection. */
  reconnect(): void {
    this.#isAtStart = true;
    this.#isBehind = true;
    this.#pieces.reconnect();
  }

  /**
   * What is to be delivered before an event that the server sent next. The text that is being written follows the
   * checkpoint that says `caught_up`: where it does not, what the connection before brought of it is void.
   */
  before({ kind, ...event }: TurnEvent): TurnEvent | undefined {
    if (this.#isBehind || !this.#pieces.isUnconfirmed || kind.case === "textDelta")
      return undefined;
    return { ...event, sequence: 0, kind: { case: "textDelta", value: this.#pieces.void() } };
  }

  /**
   * Takes what the server sent next.
   *
   * @returns the event to deliver; undefined: there is none, or it was delivered before.
   * @throws SequenceGapError
   */
  take(event: TurnEvent): TurnEvent | undefined {
    const isAtStart = this.#isAtStart;
    this.#isAtStart = false;
    this.turnId ||= event.turnId;
    if (event.kind.case === "checkpoint") {
      if (event.kind.value.caughtUp) this.#isBehind = false;
      return this.#passes(event.kind.value, isAtStart) ? event : undefined;
    }
    if (event.kind.case === "textDelta") return this.#piece(event, event.kind.value);
    const { sequence } = event;
    if (sequence === 0) return event;
    if (sequence <= this.sequence) return undefined;
    if (sequence > this.sequence + 1) throw new SequenceGapError(this.sequence, sequence);
    this.sequence = sequence;
    this.#pieces.note(event);
    return event;
  }

  #piece(event: TurnEvent, delta: TextDeltaEvent): TurnEvent | undefined {
    const value = this.#pieces.take(delta);
    return value && { ...event, kind: { case: "textDelta", value } };
  }

  #passes({ sequence, caughtUp }: CheckpointEvent, isAtStart: boolean): boolean {
    if (sequence > this.sequence) throw new SequenceGapError(this.sequence, sequence + 1);
    const isOpening = isAtStart && !this.#isOpened;
    const isCatchingUp = caughtUp && !this.#isCaughtUp;
    const isAlive = !isAtStart && !caughtUp;
    this.#isOpened = true;
    this.#isCaughtUp ||= caughtUp;
    return isOpening || isCatchingUp || isAlive;
  }
}
