import type { StartRefusal } from "../store/writes.ts";

/** How many turns may run at a time. */
export interface PlaceLimits {
  /** In all. */
  readonly maxConcurrentTurns: number;
  /** Of one principal. 0: as many as in all. */
  readonly maxPrincipalTurns: number;
}

/** A place that a turn holds. */
export interface TurnPlace {
  /** Gives it up. Idempotent. `ran`: a turn was run in it. */
  free(ran: boolean): void;
}

/** One who was refused and is expected back. */
interface Waiting {
  /** Since when. */
  readonly since: number;
  /** No place is kept for longer. */
  until: number;
}

/** What a principal is told to wait. A client that was never served gives up after 30 s: it is to come back before. */
const RETRY_MS = { least: 1000, most: 10_000 };
/** The longest that a client waits by itself, whatever it is told: docs/clients.md. */
const OWN_WAIT_MS = 10_000;
/** How much later than that one may be. */
const LATE_MS = 5000;
/** What the newest turn counts in how long places are held. */
const WEIGHT = 0.2;

/**
 * The places that turns run in, and who gets the next one.
 *
 * 1. Who was refused is expected back, and for each such principal a place is kept: whoever comes behind them is refused while no
 *    more are free than are kept.
 * 2. First comes who has the fewest turns running, and of those with as many who was refused first. So nobody who comes
 *    back when told is starved by another who asks more often, or for more.
 * 3. No place is kept for who does not come back in time.
 * 4. While nobody else waits one principal may hold all places, but for a limit of its own.
 */
export class TurnPlaces {
  readonly #limits: PlaceLimits;
  readonly #clock: () => number;
  /** Since when each principal holds its places. */
  readonly #held = new Map<string, Set<{ readonly since: number }>>();
  readonly #waiting = new Map<string, Waiting>();
  #all = 0;
  /** How long places are held, about. Undefined: none was given up yet. */
  #holdMs: number | undefined;

  /** @param clock - In milliseconds; never goes back. */
  constructor(limits: PlaceLimits, clock = () => performance.now()) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Why a principal gets no place now; they are expected back then. */
  refusal(principal: string): StartRefusal | undefined {
    const { maxConcurrentTurns, maxPrincipalTurns } = this.#limits;
    const now = this.#clock();
    this.#forgetLate(now);
    const own = this.#countOf(principal);
    if (maxPrincipalTurns > 0 && own >= maxPrincipalTurns) {
      const message = `${own} of your turns are running, the most of one principal (BREAKGLASS_MAX_PRINCIPAL_TURNS)`;
      return tooMany(message, this.#waitOf(1, maxPrincipalTurns, now));
    }
    const free = maxConcurrentTurns - this.#all;
    const ahead = this.#aheadOf(principal, now);
    if (free > ahead) return undefined; // 1.
    const retryAfterMs = this.#waitOf(ahead + 1 - free, maxConcurrentTurns, now);
    this.#expect(principal, now, retryAfterMs);
    return tooMany(this.#words(free, own, ahead), retryAfterMs);
  }

  /** Takes a place. Who was refused is expected no longer. */
  take(principal: string): TurnPlace {
    this.#waiting.delete(principal);
    const place = { since: this.#clock() };
    const held = this.#held.get(principal) ?? new Set();
    this.#held.set(principal, held.add(place));
    this.#all++;
    return {
      free: (ran) => {
        if (!held.delete(place)) return;
        if (held.size === 0) this.#held.delete(principal);
        this.#all--;
        if (ran) this.#learn(this.#clock() - place.since);
      },
    };
  }

  /** How many of those that are expected come before a principal. */
  #aheadOf(principal: string, now: number): number {
    const own = this.#countOf(principal);
    const since = this.#waiting.get(principal)?.since ?? now;
    let ahead = 0;
    for (const [other, waiting] of this.#waiting) {
      if (other === principal) continue;
      const count = this.#countOf(other);
      if (count < own || (count === own && waiting.since < since)) ahead++; // 2.
    }
    return ahead;
  }

  #expect(principal: string, now: number, retryAfterMs: number): void {
    const until = now + Math.max(retryAfterMs, OWN_WAIT_MS) + LATE_MS;
    const waiting = this.#waiting.get(principal);
    if (waiting === undefined) this.#waiting.set(principal, { since: now, until });
    else waiting.until = until;
  }

  #forgetLate(now: number): void {
    for (const [principal, { until }] of this.#waiting) {
      if (until < now) this.#waiting.delete(principal); // 3.
    }
  }

  /** When a number of places can be expected to have been given up, of so many. */
  #waitOf(places: number, of: number, now: number): number {
    const ages = [...this.#held.values()].flatMap((held) =>
      Array.from(held, ({ since }) => now - since),
    );
    const meanAge = ages.reduce((sum, age) => sum + age, 0) / Math.max(1, ages.length);
    // Those that run have been found in the middle, and may be longer than any that came before.
    const holdMs = Math.max(this.#holdMs ?? 2 * meanAge, meanAge);
    const wait = (holdMs * places) / of;
    return Math.round(Math.min(Math.max(wait, RETRY_MS.least), RETRY_MS.most));
  }

  #learn(heldMs: number): void {
    const before = this.#holdMs ?? heldMs;
    this.#holdMs = before + WEIGHT * (heldMs - before);
  }

  #countOf(principal: string): number {
    return this.#held.get(principal)?.size ?? 0;
  }

  #words(free: number, own: number, ahead: number): string {
    const { maxConcurrentTurns } = this.#limits;
    const full = `${maxConcurrentTurns} turns are running, the server's limit`;
    if (free <= 0) return ahead === 0 ? full : `${full}; others were refused before: ${ahead}`;
    return `the places that are free (${free}) are kept for others, who have fewer turns running or were refused before (yours: ${own})`;
  }
}

function tooMany(message: string, retryAfterMs: number): StartRefusal {
  return { reason: "TOO_MANY_TURNS", message, details: { retryAfterMs } };
}
