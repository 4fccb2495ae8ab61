import { Refusal } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import { ownView } from "../store/lists.ts";
import type { Store } from "../store/store.ts";
import { type SessionNews, watchSession } from "./session-watch.ts";
import { SharedReads } from "./shared-reads.ts";
import { type ReadFrom, Subscription } from "./subscription.ts";
import {
  type ReaderPlace,
  SubscriptionCounts,
  type SubscriptionLimits,
} from "./subscription-counts.ts";
import type { TurnCommands } from "./turn-commands.ts";

interface ReaderSurroundings extends SubscriptionLimits {
  readonly store: Store;
  readonly commands: TurnCommands;
}

/** What a reader of a turn is given. */
export interface OpenedReader {
  readonly subscription: Subscription;
  /** The reader counts no longer. */
  readonly released: () => void;
}

/** Those who read turns and watch sessions: each counts from before it is told anything until it has gone. */
export class Readers {
  readonly #surroundings: ReaderSurroundings;
  readonly #counts: SubscriptionCounts;
  readonly #reads: SharedReads;

  constructor(surroundings: ReaderSurroundings) {
    this.#surroundings = surroundings;
    this.#counts = new SubscriptionCounts(surroundings);
    this.#reads = new SharedReads(surroundings.store);
  }

  /** How many there are. */
  get count(): number {
    return this.#counts.all;
  }

  /** As `Turns.holdReader`. */
  hold(signal: AbortSignal): ReaderPlace {
    return this.#counts.hold(signal);
  }

  /** As `Turns.subscribe`. */
  async subscribe(
    turnId: string,
    from: ReadFrom,
    caller: Caller,
    signal: AbortSignal,
    place?: ReaderPlace,
  ): Promise<OpenedReader> {
    try {
      const turn = await this.#surroundings.commands.findToRead(turnId, caller);
      const last = turn.live?.log.lastSequence ?? turn.record.lastSequence;
      if (from.afterSequence > last) {
        throw new Refusal("OUT_OF_RANGE", `after_sequence is past the turn's last event, ${last}`, {
          metadata: { last_sequence: String(last) },
        });
      }
      const { release: released } = this.#counts.add(turnId, signal, place);
      return { subscription: new Subscription(turn, this.#reads, from, signal), released };
    } catch (error) {
      place?.release();
      throw error;
    }
  }

  /** As `Turns.watch`. */
  async *watch(
    sessionId: string,
    afterCursor: number,
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<SessionNews> {
    const { store } = this.#surroundings;
    const name = { principal: caller.name, sessionId };
    const session = await store.getSession(name, ownView(caller.name));
    const { release: released } = this.#counts.add(session.sessionKey, signal);
    try {
      yield* watchSession(store, session, ownView(caller.name), afterCursor, signal);
    } finally {
      released();
    }
  }
}
