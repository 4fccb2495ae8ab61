import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { EncodedEvent } from "./encoded-event.ts";
import type { TextDeltas } from "./text-deltas.ts";

/** A turn whose log can still grow, as its readers see it. */
export interface LiveTurn {
  readonly log: LiveLog;
  /** The text that the agent is writing, with listeners of its own. Undefined: no agent is writing. */
  readonly textDeltas: TextDeltas | undefined;
}

/** A log that can still grow, as its readers see it. */
export interface LiveLog {
  /** As of `lastSequence`. */
  readonly state: TurnState;
  /** The newest event that is on disk. */
  readonly lastSequence: number;
  /** Why readers cannot be told more: the store has failed. Undefined: it has not. */
  readonly failure: Error | undefined;
  /** Some of the events from after a sequence on; undefined where the store has to be asked. */
  after(sequence: number): readonly EncodedEvent[] | undefined;
  /** Calls `listener` after each change of `state`, `lastSequence` or `failure`, until it is told to stop. */
  listen(listener: Listener): StopListening;
}

/** Is told of a log's changes; answers whether it has taken all events that there are. Must not throw. */
export type Listener = () => boolean;

/** Ends the calls of a listener. Idempotent. */
export type StopListening = () => void;

/** Those who want to know of a log's changes. */
export class Listeners {
  readonly #listeners = new Set<Listener>();

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  add(listener: Listener): StopListening {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells them all. Answers whether each has taken all events. */
  call(): boolean {
    let all = true;
    for (const listener of this.#listeners) all = listener() && all;
    return all;
  }
}

/** Resolves once the store has failed under a turn. */
export function untilFailed({ log }: Pick<LiveTurn, "log">): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (log.failure !== undefined) {
        stop();
        resolve();
      }
      return true;
    };
    const stop = log.listen(look);
    look();
  });
}
