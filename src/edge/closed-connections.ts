import type { Log } from "../log.ts";
import type { ClosingReason } from "./connection-places.ts";

/** At most one line in so long. */
const LOG_MS = 60_000;

/** Counts the connections that were closed for want of a place or a request: a flood of them is not to flood the log. */
export class ClosedConnections {
  readonly #log: Log;
  readonly #counts = new Map<ClosingReason, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** One was closed. The first is logged at once, those of the minute after it together when that is over. */
  count(why: ClosingReason): void {
    this.#counts.set(why, (this.#counts.get(why) ?? 0) + 1);
    if (this.#timer === undefined) this.#tell();
  }

  /** Logs those that are not logged yet. */
  stop(): void {
    this.#tell();
    clearTimeout(this.#timer);
  }

  readonly #tell = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#counts.size === 0) return;
    this.#log.warn("connections were closed", { closed: Object.fromEntries(this.#counts) });
    this.#counts.clear();
    this.#timer = setTimeout(this.#tell, LOG_MS).unref();
  };
}
