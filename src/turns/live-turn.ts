import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { EncodedEvent } from "./encoded-event.ts";

/** A turn whose log can still grow, as its readers see it. */
export interface LiveTurn {
  readonly state: TurnState;
  /** The newest event that is on disk. */
  readonly lastSequence: number;
  /** Why readers cannot be told more: the store has failed. Undefined: it has not. */
  readonly failure: Error | undefined;
  /** Some of the events from after a sequence on; undefined where the store has to be asked. */
  after(sequence: number): readonly EncodedEvent[] | undefined;
  /** Calls `listener` after each change of `state`, `lastSequence` or `failure`, until it is told to stop. */
  listen(listener: () => void): StopListening;
}

/** Ends the calls of a listener. Idempotent. */
export type StopListening = () => void;

/** Those who want to know of a turn's changes. */
export class Listeners {
  readonly #listeners = new Set<() => void>();

  add(listener: () => void): StopListening {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells them all. */
  call(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Resolves once the store has failed under a turn. */
export function untilFailed(turn: LiveTurn): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (turn.failure === undefined) return;
      stop();
      resolve();
    };
    const stop = turn.listen(look);
    look();
  });
}
