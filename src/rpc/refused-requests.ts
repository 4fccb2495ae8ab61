import type { Refusal } from "../errors.ts";
import type { Log } from "../log.ts";

/** At most one line of a kind in so long. */
const LOG_MS = 60_000;
/** So many kinds are told apart: whoever sends another host each time is not to fill the memory. */
const MAX_KINDS = 100;

/** Where a refused request came from. */
export interface RefusedPeer {
  /** An address. Undefined: unknown. */
  readonly from: string | undefined;
}

/**
 * Tells of requests that were refused before anything of them was read: for want of a credential, or for their host or
 * origin, with what to set where they should have been let through. The first of a kind is logged at once, how many
 * followed it in the minute after that when the next one comes.
 */
export class RefusedRequests {
  readonly #log: Log;
  /** By what is said of them. */
  readonly #told = new Map<string, { time: number; since: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  tell({ reason, message }: Refusal, { from }: RefusedPeer): void {
    const now = performance.now();
    const kind = `${reason} ${message}`;
    const told = this.#told.get(kind);
    if (told !== undefined && now - told.time < LOG_MS) {
      told.since++;
      return;
    }
    this.#forget(now);
    if (this.#told.size >= MAX_KINDS) return;
    this.#told.set(kind, { time: now, since: 0 });
    const further = told === undefined || told.since === 0 ? {} : { sinceTheLast: told.since };
    this.#log.warn("a request was refused", { reason, why: message, from, ...further });
  }

  #forget(now: number): void {
    if (this.#told.size < MAX_KINDS) return;
    for (const [kind, { time }] of this.#told) {
      if (now - time >= LOG_MS) this.#told.delete(kind);
    }
  }
}
