import { Refusal } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { Permissions } from "../identity/permissions.ts";
import type { TurnRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { SessionName } from "../store/views.ts";
import { type SessionNews, watchSession } from "./session-watch.ts";
import { SharedReads } from "./shared-reads.ts";
import { type ReadFrom, Subscription } from "./subscription.ts";
import {
  type ReaderPlace,
  SubscriptionCounts,
  type SubscriptionLimits,
} from "./subscription-counts.ts";
import type { TurnCommands } from "./turn-commands.ts";
import { TurnFeed } from "./turn-feed.ts";
import { TurnWatch, type WatchedTurns } from "./turn-watch.ts";

interface ReaderSurroundings extends SubscriptionLimits {
  readonly store: Store;
  readonly commands: TurnCommands;
  readonly permissions: Permissions;
}

/** What a reader of a turn is given. */
export interface OpenedReader {
  readonly subscription: Subscription;
  /** The reader counts no longer. */
  readonly released: () => void;
}

/**
 * Those who read turns, and watch sessions and turns: each counts from before it is told anything until it has gone, and is
 * told nothing any more of what is shared with them no longer.
 */
export class Readers {
  readonly #surroundings: ReaderSurroundings;
  readonly #counts: SubscriptionCounts;
  readonly #reads: SharedReads;
  readonly #feed: TurnFeed;

  constructor(surroundings: ReaderSurroundings) {
    this.#surroundings = surroundings;
    this.#counts = new SubscriptionCounts(surroundings);
    this.#reads = new SharedReads(surroundings.store);
    this.#feed = new TurnFeed(surroundings.store);
  }

  /** How many there are. */
  get count(): number {
    return this.#counts.all;
  }

  /** As `Turns.holdReader`. */
  hold(caller: Caller, signal: AbortSignal): ReaderPlace {
    return this.#counts.hold(caller.name, signal);
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
      const { release } = this.#counts.add(turnId, caller.name, signal, place);
      const subscription = new Subscription(turn, this.#reads, from, signal);
      const stop = this.#endWhenUnseen(turn.record, caller, subscription, signal);
      const released = () => {
        stop();
        release();
      };
      return { subscription, released };
    } catch (error) {
      place?.release();
      throw error;
    }
  }

  /** As `Turns.watchTurns`. */
  watchTurns(watched: WatchedTurns, afterCursor: number, signal: AbortSignal): TurnWatch {
    const { release } = this.#counts.hold(watched.view.principal, signal);
    return new TurnWatch(this.#feed, watched, afterCursor, signal, release);
  }

  /**
   * Ends a reader of what others share with them once they see it no more. 1. What is their own, or seen by their roles, they
   * see for as long as it is there.
   *
   * @returns Ends the looking.
   */
  #endWhenUnseen(
    { turnId, sessionKey, sessionPrincipal }: TurnRecord,
    caller: Caller,
    subscription: Subscription,
    signal: AbortSignal,
  ): () => void {
    const { store, permissions } = this.#surroundings;
    const view = permissions.viewOf(caller);
    if (sessionPrincipal === view.principal || view.seesAll) return () => {}; // 1.
    const look = () => {
      store.getTurn(turnId, view).catch((error: Error) => subscription.fail(error));
    };
    const stop = store.changes.listenToSession(sessionKey, look);
    signal.addEventListener("abort", stop);
    // What was withdrawn since the turn was found.
    look();
    return () => {
      stop();
      signal.removeEventListener("abort", stop);
    };
  }

  /** As `Turns.watch`. */
  async *watch(
    name: SessionName,
    afterCursor: number,
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<SessionNews> {
    const { store, permissions } = this.#surroundings;
    const view = permissions.viewOf(caller);
    const session = await store.getSession(name, view);
    const { release: released } = this.#counts.add(session.sessionKey, caller.name, signal);
    try {
      yield* watchSession(store, session, view, afterCursor, signal);
    } finally {
      released();
    }
  }
}
