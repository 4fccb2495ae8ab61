import type { AuditEntry } from "./entry.ts";

const WINDOW_MS = 60_000;
/** So many sources are told apart in a window. */
const MOST_SOURCES = 64;
const OTHERS = "others";

interface Refused {
  readonly means: string;
  readonly why: string;
  readonly address: string;
  readonly since: string;
  count: number;
}

/**
 * Requests that were refused for who sent them, counted by where they came from: a flood makes no more records than there
 * are sources in a minute, and those are bounded.
 */
export class SignInCounts {
  readonly #note: (entry: AuditEntry) => void;
  readonly #refused = new Map<string, Refused>();
  #timer: NodeJS.Timeout | undefined;

  constructor(note: (entry: AuditEntry) => void) {
    this.#note = note;
  }

  /** One was refused. @param address - Of the peer. */
  count(means: string, why: string, address: string): void {
    const keyOf = (from: string) => JSON.stringify([means, why, from]);
    const isTold = this.#refused.has(keyOf(address)) || this.#refused.size < MOST_SOURCES;
    const told = isTold ? address : OTHERS;
    const refused = this.#refused.get(keyOf(told));
    if (refused !== undefined) refused.count++;
    else {
      const since = new Date().toISOString();
      this.#refused.set(keyOf(told), { means, why, address: told, since, count: 1 });
    }
    this.#timer ??= setTimeout(this.tell, WINDOW_MS).unref();
  }

  /** Notes those that were counted. */
  readonly tell = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { means, why, address, since, count } of this.#refused.values()) {
      this.#note({ kind: "sign_in_refused", facts: { means, why, address, since, count } });
    }
    this.#refused.clear();
  };
}
