import { Refusal } from "../errors.ts";

/** Bounds of how many readers there may be. */
export interface SubscriptionLimits {
  /** Of all turns together. */
  readonly maxSubscriptions: number;
  /** Of one turn. */
  readonly maxTurnSubscriptions: number;
  /** Of one principal. */
  readonly maxPrincipalSubscriptions: number;
}

/** How many readers there are, in all, of each turn and of each principal. Holds nothing for those without readers. */
export class SubscriptionCounts {
  readonly #limits: SubscriptionLimits;
  readonly #ofTurn = new Map<string, number>();
  readonly #ofPrincipal = new Map<string, number>();
  #all = 0;

  constructor(limits: SubscriptionLimits) {
    this.#limits = limits;
  }

  /** Of all turns together. */
  get all(): number {
    return this.#all;
  }

  /**
   * Counts a reader of a turn until `signal` aborts or its place is released, whichever is first: a generator's own end
   * does not come where a client vanishes while a write is blocked (measured over HTTP/2).
   *
   * @param place - What it was given before its turn was known; released where this throws.
   * @throws Refusal TOO_MANY_SUBSCRIPTIONS.
   */
  add(
    turnId: string,
    principal: string,
    signal: AbortSignal,
    place: ReaderPlace = this.hold(principal, signal),
  ): ReaderPlace {
    const ofTurn = this.#ofTurn.get(turnId) ?? 0;
    const { maxTurnSubscriptions } = this.#limits;
    if (ofTurn >= maxTurnSubscriptions) {
      place.release();
      throw tooMany(maxTurnSubscriptions, "a turn's limit");
    }
    if (place.take(turnId)) count(this.#ofTurn, turnId, 1);
    return place;
  }

  /**
   * Gives a reader its place before its turn is known, and before anything is started for it.
   *
   * @throws Refusal TOO_MANY_SUBSCRIPTIONS.
   */
  hold(principal: string, signal: AbortSignal): ReaderPlace {
    const { maxSubscriptions, maxPrincipalSubscriptions } = this.#limits;
    if (this.#all >= maxSubscriptions) throw tooMany(maxSubscriptions, "the server's limit");
    if ((this.#ofPrincipal.get(principal) ?? 0) >= maxPrincipalSubscriptions) {
      throw tooMany(maxPrincipalSubscriptions, "a principal's limit");
    }
    this.#all++;
    count(this.#ofPrincipal, principal, 1);
    return new ReaderPlace(signal, (turnId) => {
      this.#all--;
      count(this.#ofPrincipal, principal, -1);
      if (turnId !== undefined) count(this.#ofTurn, turnId, -1);
    });
  }
}

function count(counts: Map<string, number>, name: string, more: 1 | -1): void {
  const counted = (counts.get(name) ?? 0) + more;
  if (counted === 0) counts.delete(name);
  else counts.set(name, counted);
}

/** One reader among those that are counted, until its signal aborts or it is released. */
export class ReaderPlace {
  readonly #signal: AbortSignal;
  readonly #free: (turnId: string | undefined) => void;
  #turnId: string | undefined;
  #isCounted = true;

  /** @param free - Called once, with the turn that the place was taken at, if any. */
  constructor(signal: AbortSignal, free: (turnId: string | undefined) => void) {
    this.#signal = signal;
    this.#free = free;
    signal.addEventListener("abort", this.release);
    if (signal.aborted) this.release();
  }

  /** Takes it at a turn; answers whether it still counts. */
  take(turnId: string): boolean {
    if (this.#isCounted) this.#turnId = turnId;
    return this.#isCounted;
  }

  /** Idempotent. */
  readonly release = (): void => {
    this.#signal.removeEventListener("abort", this.release);
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#free(this.#turnId);
  };
}

function tooMany(limit: number, whose: string): Refusal {
  const message = `${limit} streams are open, ${whose}`;
  return new Refusal("TOO_MANY_SUBSCRIPTIONS", message, { retryAfterMs: 1000 });
}
