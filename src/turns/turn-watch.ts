import { Refusal } from "../errors.ts";
import type { TurnFilter } from "../store/lists.ts";
import { hasText } from "../store/prompt-text.ts";
import type { TurnChange, TurnChanges, TurnRecord } from "../store/records.ts";
import { isNamed, mayBeSeen, type SessionName, type TurnView } from "../store/views.ts";
import { SILENCE_MS, within } from "./session-watch.ts";
import type { TurnFeed } from "./turn-feed.ts";

/** Which changes somebody watches. */
export interface WatchedTurns {
  readonly view: TurnView;
  readonly filter: TurnFilter;
  /** Undefined: of all sessions. */
  readonly session: SessionName | undefined;
}

/** What a watcher of turns is told. */
export interface TurnNews {
  /** All changes up to here were told, or are none of those that are watched. */
  readonly cursor: number;
  /** Undefined: nothing new. */
  readonly change?: TurnChange;
  /** All that had happened when the watching began has been told. True once. */
  readonly caughtUp: boolean;
}

/** What a turn takes beside its prompt, about. */
const TURN_BYTES = 1024;

/**
 * The changes of the turns that somebody may see, from after a cursor on, each once and in order, as they happen.
 *
 * 1. From 0 on it begins with what stands: the newest change of each turn that has not ended, and what waits for an approval.
 *    Each is told as the change that it was, in the order of all changes: whoever is cut on the way goes on from there too.
 * 2. What it cannot tell any more it does not leave out: it ends with OUT_OF_RANGE.
 * 3. What is shared with them no longer is not told: what was read before is read again.
 * 4. What is not watched costs a look at it in memory, and no message; how far it came is told with the next sign of life.
 */
export class TurnWatch {
  readonly #feed: TurnFeed;
  readonly #watched: WatchedTurns;
  readonly #signal: AbortSignal;
  readonly #ended: () => void;
  #cursor: number;
  #toldAt = performance.now();
  #heldBytes = 0;

  /**
   * @param signal - Ends it; whatever it holds is released then, also where nobody asks for more.
   * @param ended - Told when it has ended by itself.
   */
  constructor(
    feed: TurnFeed,
    watched: WatchedTurns,
    afterCursor: number,
    signal: AbortSignal,
    ended: () => void,
  ) {
    this.#feed = feed;
    this.#watched = watched;
    this.#cursor = afterCursor;
    this.#signal = signal;
    this.#ended = ended;
  }

  /** What was read and is still to be told, in bytes, about. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** @throws Refusal OUT_OF_RANGE, STORAGE. To be asked for once. */
  async *news(): AsyncGenerator<TurnNews> {
    let rung = Promise.withResolvers<void>();
    const stop = this.#feed.listen(() => rung.resolve());
    this.#signal.addEventListener("abort", stop);
    if (this.#signal.aborted) stop();
    try {
      let until: number | undefined;
      if (this.#cursor === 0) {
        yield* this.#standing(); // 1.
        yield this.#sign(true);
      } else until = Number.POSITIVE_INFINITY;
      while (!this.#signal.aborted) {
        rung = Promise.withResolvers();
        const { withdrawals } = this.#feed;
        const page = await this.#feed.changesAfter(this.#cursor);
        this.#refuseGap(page.removed); // 2.
        if (until === Number.POSITIVE_INFINITY) until = page.newest;
        const isTold = yield* this.#tell(page, page.cursor, withdrawals);
        if (until !== undefined && this.#cursor >= until) {
          until = undefined;
          yield this.#sign(true);
        }
        if (!isTold || page.cursor < page.newest) continue;
        const leftMs = this.#toldAt + SILENCE_MS - performance.now();
        if (leftMs > 0 && (await within(leftMs, rung.promise, this.#signal))) continue;
        if (!this.#signal.aborted) yield this.#sign(false);
      }
    } finally {
      stop();
      this.#signal.removeEventListener("abort", stop);
      this.#heldBytes = 0;
      this.#ended();
    }
  }

  async *#standing(): AsyncGenerator<TurnNews> {
    let until = Number.POSITIVE_INFINITY;
    while (this.#cursor < until && !this.#signal.aborted) {
      const { withdrawals } = this.#feed;
      const page = await this.#feed.standingAfter(this.#cursor);
      until = Math.min(until, page.newest);
      yield* this.#tell(page, Math.min(page.cursor, until), withdrawals, true);
    }
  }

  /**
   * Tells what is watched of a part up to a cursor. Answers whether it was all told: not where what somebody may see has
   * become less since, of which there were so many `withdrawals` before the part was read.
   */
  *#tell(
    { changes }: TurnChanges,
    to: number,
    withdrawals: number,
    isNow = false,
  ): Generator<TurnNews, boolean> {
    const told = changes.filter(({ cursor }) => cursor > this.#cursor && cursor <= to);
    const watched = told.filter((change) => isWatched(change, this.#watched, isNow)); // 4.
    this.#heldBytes = watched.reduce((sum, change) => sum + bytesOf(change), 0);
    for (const change of watched) {
      if (this.#feed.withdrawals !== withdrawals) {
        this.#heldBytes = 0;
        return false; // 3.
      }
      this.#cursor = change.cursor;
      this.#toldAt = performance.now();
      yield { cursor: change.cursor, change, caughtUp: false };
      this.#heldBytes -= bytesOf(change);
    }
    this.#cursor = to;
    return true;
  }

  #sign(caughtUp: boolean): TurnNews {
    this.#toldAt = performance.now();
    return { cursor: this.#cursor, caughtUp };
  }

  #refuseGap(removed: TurnChanges["removed"]): void {
    const isMissed = removed.some(
      (one) => one.cursor > this.#cursor && mayBeSeen(one, this.#watched.view),
    );
    if (!isMissed) return;
    const message = `changes after ${this.#cursor} were removed with their turns: watch from 0`;
    throw new Refusal("OUT_OF_RANGE", message, { metadata: { after_cursor: "0" } });
  }
}

/** @param isNow - A turn is to be in one of the states: else, to have been in one by then. */
function isWatched(
  { turn, pastStates, seenBy, retoldTo }: TurnChange,
  { view, filter, session }: WatchedTurns,
  isNow: boolean,
): boolean {
  const { states } = filter;
  const isIn = isNow ? [turn.state] : pastStates;
  return (
    mayBeSeen({ seenBy, permissionMode: turn.permissionMode }, view) &&
    (retoldTo === undefined || isNamed(retoldTo, view)) &&
    (session === undefined || isOf(turn, session)) &&
    (states.length === 0 || isIn.some((state) => states.includes(state))) &&
    passes(turn, filter)
  );
}

function isOf({ sessionId, sessionPrincipal }: TurnRecord, session: SessionName): boolean {
  return sessionId === session.sessionId && sessionPrincipal === session.principal;
}

/** Whether a turn is one of those that a filter asks for, whatever its state. */
function passes(
  { createTime, principal, origin, prompt }: TurnRecord,
  filter: TurnFilter,
): boolean {
  return (
    createTime >= (filter.since ?? 0) &&
    createTime < (filter.until ?? Number.POSITIVE_INFINITY) &&
    principal === (filter.principal ?? principal) &&
    origin === (filter.origin ?? origin) &&
    (filter.query === undefined || hasText(prompt, filter.query))
  );
}

function bytesOf({ turn, event }: TurnChange): number {
  return TURN_BYTES + turn.prompt.length + (event?.length ?? 0);
}
