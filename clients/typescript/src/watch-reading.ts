import type { BreakglassClient } from "./breakglass-client.ts";
import { closingOf } from "./connection-closed.ts";
import type { Reading, Taken } from "./resuming-stream.ts";

/** What is told of something that is watched. */
interface WatchMessage {
  readonly cursor: bigint;
  readonly change: { readonly case?: string | undefined };
  readonly caughtUp: boolean;
}

/** Reads what is watched over any number of calls: its place is the greatest cursor that was seen. */
export class WatchReading<M extends WatchMessage> implements Reading<M, M> {
  readonly closing: AbortSignal | undefined;
  /** The next call, from after the place. */
  readonly #open: (afterCursor: bigint, signal: AbortSignal) => AsyncIterable<M>;
  readonly #ended: () => Error;
  #cursor: bigint;
  #isCaughtUp = false;

  /** @param ended - Says why a stream that ended well was cut: what is watched has no end. */
  constructor(
    client: BreakglassClient,
    afterCursor: bigint,
    open: (afterCursor: bigint, signal: AbortSignal) => AsyncIterable<M>,
    ended: () => Error,
  ) {
    this.closing = closingOf(client);
    this.#cursor = afterCursor;
    this.#open = open;
    this.#ended = ended;
  }

  open(signal: AbortSignal): AsyncIterable<M> {
    return this.#open(this.#cursor, signal);
  }

  take(message: M): Taken<M> {
    const isNew = message.cursor > this.#cursor;
    const isAlive = message.change.case === undefined && !message.caughtUp;
    const isCatchingUp = message.caughtUp && !this.#isCaughtUp;
    if (isNew) this.#cursor = message.cursor;
    this.#isCaughtUp ||= message.caughtUp;
    const passes = isNew || isAlive || isCatchingUp;
    return { fresh: passes ? message : undefined, isNew, isLast: false };
  }

  ended(): Error {
    return this.#ended();
  }
}
