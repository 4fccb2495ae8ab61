import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../log.ts";
import { byDeadline } from "../stream/deadline.ts";
import type { AuditEntry } from "./entry.ts";

const AGAIN_MS = { first: 250, longest: 10_000 };
/** So many wait for a store that takes nothing. */
const MOST_WAITING = 1000;
const AT_ONCE = 100;

/**
 * Entries that are the record of nothing in the store: what happens to the server itself.
 *
 * 1. They go on record in the order in which they were noted, however long the store takes to take them.
 * 2. Nothing waits for them: a server starts, and refuses strangers, on a full disk too. Of those that are too many to wait
 *    the number is recorded.
 */
export class AuditTrail {
  readonly #record: (entries: readonly AuditEntry[]) => Promise<void>;
  readonly #isOver: (error: unknown) => boolean;
  readonly #log: Log;
  #waiting: AuditEntry[] = [];
  #lost = 0;
  #writing: Promise<void> | undefined;
  #isEnded = false;

  /**
   * @param record - Puts entries on the chain.
   * @param isOver - Whether an error of that says that nothing will be taken any more.
   */
  constructor(
    record: (entries: readonly AuditEntry[]) => Promise<void>,
    isOver: (error: unknown) => boolean,
    log: Log,
  ) {
    this.#record = record;
    this.#isOver = isOver;
    this.#log = log;
  }

  /** Has an entry go on record soon. */
  note(entry: AuditEntry): void {
    if (this.#isEnded) return;
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(entry);
    else this.#lost++; // 2.
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when what was noted is on record, or after so long. */
  async settled(ms: number): Promise<void> {
    await byDeadline(this.#writing ?? Promise.resolve(), ms, undefined);
  }

  /** Gives up what the store has not taken. */
  stop(): void {
    this.#isEnded = true;
  }

  async #write(): Promise<void> {
    let wait = AGAIN_MS.first;
    while (this.#waiting.length > 0 && !this.#isEnded) {
      const some = this.#waiting.slice(0, AT_ONCE);
      try {
        await this.#record(some);
        this.#waiting.splice(0, some.length);
        wait = AGAIN_MS.first;
        if (this.#waiting.length === 0) this.#tellLost();
      } catch (error) {
        if (wait === AGAIN_MS.first) this.#log.error("the audit takes no records", { error });
        if (this.#isOver(error)) return this.stop();
        await delay(wait, undefined, { ref: false });
        wait = Math.min(2 * wait, AGAIN_MS.longest);
      }
    }
  }

  #tellLost(): void {
    if (this.#lost === 0) return;
    this.#waiting.push({ kind: "entries_lost", facts: { count: this.#lost } });
    this.#lost = 0;
  }
}
