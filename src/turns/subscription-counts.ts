import { Refusal } from "../errors.ts";

/** Bounds of how many readers there may be. */
export interface SubscriptionLimits {
  /** Of all turns together. */
  readonly maxSubscriptions: number;
  /** Of one turn. */
  readonly maxTurnSubscriptions: number;
}

/** How many readers there are, in all and of each turn. Holds nothing for turns without readers. */
export class SubscriptionCounts {
  readonly #limits: SubscriptionLimits;
  readonly #ofTurn = new Map<string, number>();
  #all = 0;

  constructor(limits: SubscriptionLimits) {
    this.#limits = limits;
  }

  /** Of all turns together. */
  get all(): number {
    return this.#all;
  }

  /**
   * Counts a reader until `signal` aborts or the returned function is called, whichever is first: a generator's own end
   * does not come where a client vanishes while a write is blocked (measured over HTTP/2).
   *
   * @throws Refusal TOO_MANY_SUBSCRIPTIONS.
   */
  add(turnId: string, signal: AbortSignal): () => void {
    const ofTurn = this.#ofTurn.get(turnId) ?? 0;
    const { maxSubscriptions, maxTurnSubscriptions } = this.#limits;
    if (this.#all >= maxSubscriptions) throw tooMany(maxSubscriptions, "the server's limit");
    if (ofTurn >= maxTurnSubscriptions) throw tooMany(maxTurnSubscriptions, "a turn's limit");
    this.#ofTurn.set(turnId, ofTurn + 1);
    this.#all++;
    let counted = true;
    const release = () => {
      if (counted) this.#remove(turnId);
      counted = false;
      signal.removeEventListener("abort", release);
    };
    signal.addEventListener("abort", release);
    if (signal.aborted) release();
    return release;
  }

  #remove(turnId: string): void {
    this.#all--;
    const left = (this.#ofTurn.get(turnId) ?? 1) - 1;
    if (left === 0) this.#ofTurn.delete(turnId);
    else this.#ofTurn.set(turnId, left);
  }
}

function tooMany(limit: number, whose: string): Refusal {
  const message = `${limit} streams are open, ${whose}`;
  return new Refusal("TOO_MANY_SUBSCRIPTIONS", message, { retryAfterMs: 1000 });
}
