import { setTimeout as delay } from "node:timers/promises";
import { Refusal } from "../errors.ts";
import type { Log } from "../log.ts";
import { byDeadline } from "../stream/deadline.ts";
import type { MovedSession } from "./session-moves.ts";

/** So many are kept at once: each has a segment or two in memory. */
const AT_ONCE = 2;
/** So many wait: each is a few hundred bytes, and one for each session. */
const MOST_WAITING = 10_000;
/** Before what failed is tried again, doubling. */
const AGAIN_MS = { first: 1000, longest: 30_000 };
/** A store that is away is waited for so long. */
const PATIENCE_MS = 15 * 60_000;
/** What else fails is tried so often: the agent may be writing. */
const MOST_TRIES = 3;

/** A session of which something may be new. */
interface Entry {
  session: MovedSession;
  /** Something may have come since it was looked at. */
  isStale: boolean;
}

/**
 * Keeps what is new of sessions, some at a time, behind their turns and in nobody's way.
 *
 * 1. One session is kept by one at a time. What is asked for meanwhile is done by that one, once.
 * 2. What is given up is in the log, and done with the session's next turn, or by the next start.
 */
export class TranscriptKeeper {
  readonly #keep: (session: MovedSession) => Promise<void>;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #free = AT_ONCE;
  #left: (() => void)[] = [];

  /** @param keep - Keeps what is new of one. */
  constructor(keep: (session: MovedSession) => Promise<void>, log: Log) {
    this.#keep = keep;
    this.#log = log;
  }

  /** How many sessions are being kept, or wait for it. */
  get size(): number {
    return this.#entries.size;
  }

  /** As `SessionMoves.keep`. */
  keep(session: MovedSession): void {
    const { sessionKey } = session;
    const known = this.#entries.get(sessionKey);
    if (known !== undefined) {
      Object.assign(known, { session, isStale: true }); // 1.
      return;
    }
    if (this.#closing.signal.aborted || this.#entries.size >= MOST_WAITING) {
      this.#tellGivenUp(session, `${this.#entries.size} others wait`);
      return;
    }
    const entry = { session, isStale: true };
    this.#entries.set(sessionKey, entry);
    void this.#work(entry);
  }

  /** As `SessionMoves.drain`. What is not kept by then is given up. */
  async drain(ms: number): Promise<void> {
    await byDeadline(this.settled(), ms, undefined, false);
    this.#closing.abort();
    const count = this.#entries.size;
    if (count > 0) this.#log.warn("the newest of some conversations is not kept", { count }); // 2.
  }

  /** Resolves when at most so many sessions are left. */
  async settled(most = 0): Promise<void> {
    while (this.#entries.size > most) {
      await new Promise<void>((resolve) => this.#left.push(resolve));
    }
  }

  async #work(entry: Entry): Promise<void> {
    let tries = { count: 0, since: performance.now() };
    while (entry.isStale && !this.#closing.signal.aborted) {
      entry.isStale = false;
      const error = await this.#try(entry.session);
      if (error !== undefined) {
        tries.count++;
        if (await this.#isWorthAgain(error, tries, entry.session)) {
          entry.isStale = true;
          continue;
        }
      }
      // What was asked for meanwhile begins anew.
      tries = { count: 0, since: performance.now() };
    }
    this.#entries.delete(entry.session.sessionKey);
    for (const tell of this.#left.splice(0)) tell();
  }

  /** Answers what it failed by. */
  async #try(session: MovedSession): Promise<unknown> {
    await this.#place();
    try {
      await this.#keep(session);
      return undefined;
    } catch (error) {
      return error ?? new Error("it failed");
    } finally {
      this.#free++;
      this.#waiting.shift()?.();
    }
  }

  async #place(): Promise<void> {
    while (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#free--;
  }

  /** Waits, and answers whether it is to be tried again. */
  async #isWorthAgain(
    error: unknown,
    { count, since }: { readonly count: number; readonly since: number },
    session: MovedSession,
  ): Promise<boolean> {
    if (isOthers(error)) return false;
    const isStorage = error instanceof Refusal && error.reason === "STORAGE";
    const isLate = isStorage ? performance.now() - since > PATIENCE_MS : count >= MOST_TRIES;
    if (isLate) {
      this.#tellGivenUp(session, error);
      return false;
    }
    const ms = Math.min(AGAIN_MS.first * 2 ** (count - 1), AGAIN_MS.longest);
    await delay(ms, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {});
    return true;
  }

  #tellGivenUp({ sessionId }: MovedSession, error: unknown): void {
    this.#log.warn("the newest of a conversation is not kept", { sessionId, error }); // 2.
  }
}

/** The session is off the record, or another server's by now: what is new of it is nothing here. */
function isOthers(error: unknown): boolean {
  const reasons = ["FENCED", "SESSION_ELSEWHERE", "NOT_FOUND"];
  return error instanceof Refusal && reasons.includes(error.reason);
}
