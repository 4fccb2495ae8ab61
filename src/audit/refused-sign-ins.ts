import type { AuditEntry } from "./entry.ts";

const WINDOW_MS = 60_000;
/** So many sources are told apart in a window. */
const MOST_SOURCES = 64;
const OTHERS = "others";

interface Refused {
  readonly reason: string;
  readonly address: string;
  readonly since: string;
  count: number;
}

/**
 * Requests that were refused for who sent them, counted by where they came from: a flood makes no more records than there
 * are sources in a minute, and those are bounded.
 */
export class RefusedSignIns {
  readonly #note: (entry: AuditEntry) => void;
  readonly #refused = new Map<string, Refused>();
  #timer: NodeJS.Timeout | undefined;

  constructor(note: (entry: AuditEntry) => void) {
    this.#note = note;
  }

  /** One was refused. @param address - Of the peer. Undefined: unknown. */
  count(reason: string, address = ""): void {
    const key = `${reason} ${address}`;
    const isTold = this.#refused.has(key) || this.#refused.size < MOST_SOURCES;
    const told = isTold ? address : OTHERS;
    const refused = this.#refused.get(`${reason} ${told}`);
    if (refused !== undefined) refused.count++;
    else {
      const since = new Date().toISOString();
      this.#refused.set(`${reason} ${told}`, { reason, address: told, since, count: 1 });
    }
    this.#timer ??= setTimeout(this.tell, WINDOW_MS).unref();
  }

  /** Notes those that were counted. */
  readonly tell = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { reason, address, since, count } of this.#refused.values()) {
      this.#note({ kind: "sign_in_refused", facts: { reason, address, since, count } });
    }
    this.#refused.clear();
  };
}
