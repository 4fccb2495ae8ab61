import type { Log } from "./log.ts";

/** At most one line in so long. */
const PACE_MS = 60_000;
/** What is told apart in one line; a flood can bring any number. */
const MAX_KINDS = 10;
const OTHERS = "others";

/**
 * Warns of what may come in floods, by kind and count: the first is logged at once, those of the minute after it together
 * when that is over.
 */
export class PacedWarning {
  readonly #log: Log;
  readonly #message: string;
  readonly #field: string;
  readonly #counts = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param field - The field of the line that has the counts, by kind. */
  constructor(log: Log, message: string, field: string) {
    this.#log = log;
    this.#message = message;
    this.#field = field;
  }

  /** One came. */
  count(kind: string): void {
    const isTold = this.#counts.has(kind) || this.#counts.size < MAX_KINDS;
    const told = isTold ? kind : OTHERS;
    this.#counts.set(told, (this.#counts.get(told) ?? 0) + 1);
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
    this.#log.warn(this.#message, { [this.#field]: Object.fromEntries(this.#counts) });
    this.#counts.clear();
    this.#timer = setTimeout(this.#tell, PACE_MS).unref();
  };
}
