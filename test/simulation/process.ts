import type { Timer, Timers } from "../../src/stream/timers.ts";
import type { Planned, World } from "./world.ts";

interface SimulatedTimer extends Timer {
  planned: Planned | undefined;
}

/**
 * A process of a replica: what it does happens while it runs, and not while it is stopped. Its clock goes a little faster or
 * slower than the time.
 */
export class Process {
  readonly #world: World;
  /** Milliseconds of its clock in one of the time. */
  readonly #rate: number;
  readonly #offset: number;
  #waiting: (() => void)[] | undefined;
  #isOver = false;
  /** When it last went on after it was stopped. */
  wokeAt = Number.NEGATIVE_INFINITY;

  constructor(world: World, rate: number) {
    this.#world = world;
    this.#rate = rate;
    this.#offset = world.between(0, 1_000_000);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get isFrozen(): boolean {
    return this.#waiting !== undefined;
  }

  /** Has it do something now, or when it goes on, or never. */
  do(run: () => void): void {
    if (this.#isOver) return;
    if (this.#waiting !== undefined) this.#waiting.push(run);
    else run();
  }

  freeze(): void {
    this.#waiting ??= [];
  }

  wake(): void {
    if (this.#waiting === undefined) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.wokeAt = this.#world.now;
    // One after another, as from the event loop: what the first brings about comes before the next.
    for (const run of waiting) this.#world.after(0, () => this.do(run));
  }

  /** It does nothing any more. */
  kill(): void {
    this.#isOver = true;
    this.#waiting = undefined;
  }

  readonly timers: Timers = {
    now: () => this.#offset + this.#world.now * this.#rate,
    setTimeout: (run, ms) => this.#set(ms, run),
    setInterval: (run, ms) => {
      const timer = this.#set(ms, function again() {
        run();
        timer.planned = set(ms, again).planned;
      });
      const set = (after: number, what: () => void) => this.#set(after, what);
      return timer;
    },
    clear: (timer) => this.#world.cancel((timer as SimulatedTimer | undefined)?.planned),
    delay: (ms, { signal } = {}) =>
      new Promise<void>((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const abort = () => {
          this.#world.cancel(timer.planned);
          reject(signal!.reason as Error);
        };
        const timer = this.#set(ms, () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        });
        signal?.addEventListener("abort", abort);
      }),
    nextTurn: () => new Promise<void>((resolve) => this.#set(0, resolve)),
  };

  #set(ms: number, run: () => void): SimulatedTimer {
    const timer: SimulatedTimer = { planned: undefined, unref: () => timer };
    timer.planned = this.#world.after(ms / this.#rate, () => this.do(run));
    return timer;
  }
}
