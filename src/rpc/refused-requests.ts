import type { Refusal } from "../errors.ts";
import type { Log } from "../log.ts";

/** At most one line of a reason in so long. */
const LOG_MS = 60_000;

/**
 * Tells of requests that were refused for who sent them, before anything of them was read: for want of a credential, or for
 * all that its principal left before. The first of a reason is logged at once, how many followed it in the minute after that
 * when the next one comes. Of those that were refused for their host or origin the listener warns, with what to set.
 */
export class RefusedRequests {
  readonly #log: Log;
  readonly #count: (reason: string, from: string | undefined) => void;
  readonly #told = new Map<Refusal["reason"], { time: number; since: number }>();

  /** @param count - Told of each. */
  constructor(log: Log, count: (reason: string, from: string | undefined) => void = () => {}) {
    this.#log = log;
    this.#count = count;
  }

  /** @param from - The address that it came from. Undefined: unknown. */
  tell({ reason, message }: Refusal, from: string | undefined): void {
    this.#count(reason, from);
    if (reason === "ORIGIN_NOT_ALLOWED") return;
    const now = performance.now();
    const told = this.#told.get(reason);
    if (told !== undefined && now - told.time < LOG_MS) {
      told.since++;
      return;
    }
    this.#told.set(reason, { time: now, since: 0 });
    const further = told === undefined || told.since === 0 ? {} : { sinceTheLast: told.since };
    this.#log.warn("a request was refused", { reason, why: message, from, ...further });
  }
}
