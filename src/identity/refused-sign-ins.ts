import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../log.ts";
import type { AgentAttempt } from "./agent-attempts.ts";
import type { Peer, SignInFailure } from "./authenticator.ts";

/** Somebody was told to be nobody. */
export interface RefusedSignIn extends SignInFailure {
  readonly peer: Peer;
}

/** At most one line of a kind in so long. */
const LOG_MS = 60_000;
/** Every refusal takes so long at least: what was worked out about a credential does not show in the time. */
const LEAST_MS = 25;
const MOST_MS = 2000;
/** So many of a source are answered without being slowed; each further few double the time. */
const FREE = 10;
const DOUBLED_BY = 5;
/** A source that goes on is remembered for so many, and one is forgotten in so long. */
const MOST_COUNTED = 60;
const FORGET_MS = 1000;
/** So many sources are remembered; the one that was heard of least lately makes room. */
const MAX_SOURCES = 4096;
/** So many answers are held back at a time, and of one source. What is beyond is answered after the least time. */
const MAX_HELD = 1024;
const MAX_HELD_OF_ONE = 256;

interface Source {
  /** What is remembered, at a time of `performance.now`. */
  failures: number;
  at: number;
  held: number;
}

/**
 * What becomes of requests whose sender is nobody.
 *
 * 1. They are counted for where they come from; what is remembered is bounded.
 * 2. The more of them come from a source the longer their answers take. A good credential is never looked at here: others
 *    behind the same proxy wait for nothing.
 * 3. Whatever was wrong, the answer comes after the same time.
 * 4. The log has the first of a kind at once, and how many followed it with the next one a minute later. Listeners hear of each.
 */
export class RefusedSignIns {
  readonly #log: Log;
  readonly #sources = new Map<string, Source>();
  readonly #told = new Map<string, { time: number; since: number }>();
  readonly #listeners: ((refused: RefusedSignIn) => void)[] = [];
  readonly #attemptListeners: ((attempt: AgentAttempt) => void)[] = [];
  #held = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** How many sources are remembered. */
  get sources(): number {
    return this.#sources.size;
  }

  /** Has a listener hear of each. */
  listen(listener: (refused: RefusedSignIn) => void): void {
    this.#listeners.push(listener);
  }

  /** Has a listener hear of each request of an agent's. */
  listenToAgents(listener: (attempt: AgentAttempt) => void): void {
    this.#attemptListeners.push(listener);
  }

  /** An agent's request was refused. */
  tellAgent(attempt: AgentAttempt): void {
    for (const listener of this.#attemptListeners) listener(attempt);
  }

  /**
   * Tells of one, and resolves when it may be answered, or when nobody waits for that any more.
   *
   * @param since - When it came, a time of `performance.now`.
   * @param gone - Aborts when nobody waits any more.
   */
  async hold(refused: RefusedSignIn, since: number, gone: AbortSignal): Promise<void> {
    const source = this.#count(refused.peer.network); // 1.
    this.#tell(refused);
    for (const listener of this.#listeners) listener(refused);
    const isRoom = this.#held < MAX_HELD && source.held < MAX_HELD_OF_ONE;
    const until = since + (isRoom ? delayAfter(source.failures) : LEAST_MS); // 3.
    const ms = Math.max(0, until - performance.now());
    this.#held++;
    source.held++;
    await delay(ms, undefined, { signal: gone }).catch(() => {});
    this.#held--;
    source.held--;
  }

  #count(network: string): Source {
    const now = performance.now();
    const known = this.#sources.get(network) ?? { failures: 0, at: now, held: 0 };
    const left = Math.max(0, known.failures - (now - known.at) / FORGET_MS);
    known.failures = Math.min(MOST_COUNTED, left + 1);
    known.at = now;
    // Behind all others: the first is the one that makes room.
    this.#sources.delete(network);
    this.#sources.set(network, known);
    if (this.#sources.size > MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value!);
    return known;
  }

  // 4.
  #tell({ means, why, peer }: RefusedSignIn): void {
    const kind = `${means} ${why}`;
    const now = performance.now();
    const told = this.#told.get(kind);
    if (told !== undefined && now - told.time < LOG_MS) {
      told.since++;
      return;
    }
    this.#told.set(kind, { time: now, since: 0 });
    const further = told === undefined || told.since === 0 ? {} : { sinceTheLast: told.since };
    const fields = { reason: "UNAUTHENTICATED", means, why, from: peer.address, ...further };
    this.#log.warn("a request was refused", fields);
  }
}

// 2.
function delayAfter(failures: number): number {
  const ms = LEAST_MS * 2 ** (Math.max(0, failures - FREE) / DOUBLED_BY);
  return Math.min(MOST_MS, ms);
}
