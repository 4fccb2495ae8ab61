import type { Distribution, StoreLoad } from "../store-load.ts";

/** In nanoseconds: a commit takes some 0.4 ms on a disk that is well. */
const TIME_BOUNDS = [
  ...[250e3, 500e3, 1e6, 2.5e6, 5e6, 10e6, 25e6, 50e6, 100e6, 250e6],
  ...[500e6, 1e9, 2.5e9, 10e9],
];
const CALL_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const NANOSECONDS = 1e9;

/**
 * Counts of commits in memory that the thread which commits shares with the one that is asked for them: neither waits for the
 * other, and nothing is sent.
 */
export class CommitCounts {
  readonly shared: SharedArrayBuffer;
  readonly #times: Counts;
  readonly #calls: Counts;

  /** @param shared - Of the other thread's. Undefined: new counts. */
  constructor(shared?: SharedArrayBuffer) {
    const timesBytes = Counts.bytes(TIME_BOUNDS);
    this.shared = shared ?? new SharedArrayBuffer(timesBytes + Counts.bytes(CALL_BOUNDS));
    this.#times = new Counts(TIME_BOUNDS, this.shared, 0);
    this.#calls = new Counts(CALL_BOUNDS, this.shared, timesBytes);
  }

  /** A commit of so many calls has been made. */
  add(milliseconds: number, calls: number): void {
    this.#times.add(Math.round(milliseconds * 1e6));
    this.#calls.add(calls);
  }

  get load(): Omit<StoreLoad, "waitingCalls"> {
    return {
      commitSeconds: this.#times.distribution(NANOSECONDS),
      commitCalls: this.#calls.distribution(1),
    };
  }
}

/** Counts of whole numbers by how large they are, and their sum behind them. */
class Counts {
  readonly #bounds: readonly number[];
  readonly #numbers: BigUint64Array;

  constructor(bounds: readonly number[], memory: SharedArrayBuffer, offset: number) {
    this.#bounds = bounds;
    this.#numbers = new BigUint64Array(memory, offset, bounds.length + 2);
  }

  static bytes(bounds: readonly number[]): number {
    return (bounds.length + 2) * BigUint64Array.BYTES_PER_ELEMENT;
  }

  add(value: number): void {
    const found = this.#bounds.findIndex((bound) => value <= bound);
    Atomics.add(this.#numbers, found === -1 ? this.#bounds.length : found, 1n);
    Atomics.add(this.#numbers, this.#bounds.length + 1, BigInt(value));
  }

  /** @param unit - What the bounds and the sum are told in. */
  distribution(unit: number): Distribution {
    const at = (index: number) => Number(Atomics.load(this.#numbers, index));
    const { length } = this.#bounds;
    return {
      bounds: this.#bounds.map((bound) => bound / unit),
      counts: Array.from({ length: length + 1 }, (_, index) => at(index)),
      sum: at(length + 1) / unit,
    };
  }
}
