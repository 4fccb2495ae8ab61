import { callFailureOf } from "./call-failure.ts";
import { SilenceError } from "./stream-call.ts";

/** How long to wait before each try, and when to give up. All in milliseconds. */
export interface BackOff {
  /** Before the first try; each further wait is twice as long. */
  readonly firstMs: number;
  /** No wait is longer, unless the server asks for it. */
  readonly longestMs: number;
  /** Which part of each wait is left to chance, 0 to 1, so that not all readers of a server come back at once. */
  readonly jitter: number;
  /** How long to keep trying a server that was heard before. */
  readonly giveUpMs: number;
  /**
   * How long to keep trying one that was never heard; at least three silences (`silenceMs`) where it takes a call and says
   * nothing, for one of them alone may be longer than this.
   */
  readonly firstGiveUpMs: number;
}

/** What holds where nothing else is asked for. */
export const DEFAULT_BACK_OFF: BackOff = {
  firstMs: 250,
  longestMs: 10_000,
  jitter: 0.5,
  giveUpMs: 600_000,
  firstGiveUpMs: 30_000,
};

/** A server that was never heard is given so many silences: the calls behind the first one may be answered. */
const FIRST_SILENCES = 3;

/** Whether there is a connection, for how long there has been none, and when to try again. */
export class Outage {
  readonly #backOff: BackOff;
  readonly #silenceMs: number;
  #isHeard: boolean;
  /** A call was taken, and nothing was said. */
  #wasSilent = false;
  /** Since when nothing is heard, or was noticed not to be; undefined while there is a connection. */
  #since: number | undefined = performance.now();
  #isLost = false;
  /** Since when the connection that is there has been. */
  #connectedSince = 0;
  /** Failures without progress. */
  #failures = 0;
  /** Those of them that are only worth so many tries. */
  #doubtful = 0;

  /**
   * @param silenceMs - How long a call waits for a word, in milliseconds.
   * @param isHeard - Whether the server was heard before.
   */
  constructor(backOff: BackOff, silenceMs: number, isHeard = false) {
    this.#isHeard = isHeard;
    this.#backOff = backOff;
    this.#silenceMs = silenceMs;
  }

  /** Whether the server was ever heard. */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** How many calls failed since something new was read. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * A message came.
   *
   * @param isNew - It is an event that was not read before.
   * @returns whether it is the first after a failure.
   */
  heard(isNew: boolean): boolean {
    const isBack = this.#isLost;
    if (this.#since !== undefined) this.#connectedSince = performance.now();
    // A turn can be silent for long: a connection that held is progress too.
    if (isNew || performance.now() - this.#connectedSince > this.#backOff.longestMs) {
      this.#failures = 0;
      this.#doubtful = 0;
    }
    this.#since = undefined;
    this.#isLost = false;
    this.#isHeard = true;
    return isBack;
  }

  /**
   * A call failed.
   *
   * @returns after how many milliseconds to try again; undefined: never.
   */
  failed(error: unknown): number | undefined {
    const { retries, leastDelayMs } = callFailureOf(error);
    const { firstMs, longestMs, jitter } = this.#backOff;
    const now = performance.now();
    // From when it is noticed: a machine that slept through an outage has not tried for so long.
    this.#since ??= now;
    this.#isLost = true;
    this.#wasSilent ||= error instanceof SilenceError;
    if (retries < Number.POSITIVE_INFINITY && ++this.#doubtful > retries) return undefined;
    const leftMs = this.#since + this.#giveUpMs() - now;
    if (leftMs <= 0 || leastDelayMs > leftMs) return undefined;
    const grownMs = Math.min(firstMs * 2 ** this.#failures++, longestMs);
    const delayMs = grownMs * (1 - jitter * Math.random());
    return Math.max(Math.min(delayMs, leftMs), leastDelayMs);
  }

  #giveUpMs(): number {
    const { giveUpMs, firstGiveUpMs } = this.#backOff;
    if (this.#isHeard) return giveUpMs;
    return this.#wasSilent
      ? Math.max(firstGiveUpMs, FIRST_SILENCES * this.#silenceMs)
      : firstGiveUpMs;
  }
}
