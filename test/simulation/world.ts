import { SeededRandom } from "../support/seeded-random.ts";

/** Something that is to happen at a time. */
export interface Planned {
  readonly time: number;
  readonly order: number;
  run: (() => void) | undefined;
  /** Whether promises may follow from it, which have to be waited for. */
  readonly isFollowed: boolean;
}

/**
 * The time of a simulation, and all that is to happen in it: one thing after another, and nothing else.
 *
 * 1. What happens at a time, and in which order, follows from the seed.
 * 2. The next thing happens when all has been done that follows from the one before without time.
 */
export class World {
  readonly random: SeededRandom;
  /** In milliseconds, from 0 on. */
  now = 0;
  /** How many things have happened. */
  steps = 0;
  readonly #heap: Planned[] = [];
  readonly #told: string[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  /**
   * Has something happen after some milliseconds.
   *
   * @param isFollowed - False: no promise hangs on it.
   */
  after(ms: number, run: () => void, isFollowed = true): Planned {
    const time = this.now + Math.max(0, ms);
    const planned = { time, order: this.#order++, run, isFollowed };
    this.#push(planned);
    return planned;
  }

  /** It does not happen. Idempotent. */
  cancel(planned: Planned | undefined): void {
    if (planned !== undefined) planned.run = undefined;
  }

  /** Says what happens, for who looks for why. */
  tell(what: string): void {
    this.#told.push(`${(this.now / 1000).toFixed(3)} s  ${what}`);
  }

  /** What was said last. */
  lastTold(count: number): string[] {
    return this.#told.slice(-count);
  }

  /** A whole number of milliseconds, both included. */
  between(least: number, most: number): number {
    return least + this.random.below(most - least + 1);
  }

  /** Whether something happens that does so many times of a thousand. */
  chance(perMille: number): boolean {
    return this.random.below(1000) < perMille;
  }

  /**
   * Has all happen up to a time.
   *
   * @param looked - Called after each step.
   */
  async runUntil(time: number, looked: () => void): Promise<void> {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.time > time) break;
      this.#pop();
      if (next.run === undefined) continue;
      this.now = next.time;
      this.steps++;
      next.run();
      if (next.isFollowed) await settled(); // 2.
      looked();
    }
    this.now = time;
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let at = heap.push(planned) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(planned, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = planned;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Planned, other: Planned): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order);
}

/** Resolves when no promise is left to be followed. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
