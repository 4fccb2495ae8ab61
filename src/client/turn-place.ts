import type { CheckpointEvent, TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";

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

  constructor(turnId: string, sequence: number) {
    this.turnId = turnId;
    this.sequence = sequence;
  }

  /** What comes next comes over another connection. */
  reconnect(): void {
    this.#isAtStart = true;
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
      return this.#passes(event.kind.value, isAtStart) ? event : undefined;
    }
    const { sequence } = event;
    if (sequence === 0) return event;
    if (sequence <= this.sequence) return undefined;
    if (sequence > this.sequence + 1) throw new SequenceGapError(this.sequence, sequence);
    this.sequence = sequence;
    return event;
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
