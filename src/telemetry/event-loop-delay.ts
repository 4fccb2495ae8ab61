import { monitorEventLoopDelay } from "node:perf_hooks";

/** What is told is of the last so long, and up to twice: whoever scrapes how often makes no difference. */
const WINDOW_MS = 15_000;
const RESOLUTION_MS = 10;
const NANOSECONDS = 1e9;

/** In seconds. */
export interface LoopDelay {
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

/** Measures how late the event loop comes to what waits for it. */
export class EventLoopDelay implements Disposable {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #before: LoopDelay = { median: 0, p99: 0, max: 0 };

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#turnPage(), WINDOW_MS).unref();
  }

  /** The worse of the window that is over and the one that has begun. */
  get worst(): LoopDelay {
    const now = this.#now;
    const before = this.#before;
    return {
      median: Math.max(now.median, before.median),
      p99: Math.max(now.p99, before.p99),
      max: Math.max(now.max, before.max),
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  get #now(): LoopDelay {
    const { count } = this.#histogram;
    if (count === 0) return { median: 0, p99: 0, max: 0 };
    // It measures from one look to the next, which the looks' own distance is part of.
    const delay = (ns: number) => Math.max(0, ns / NANOSECONDS - RESOLUTION_MS / 1000);
    return {
      median: delay(this.#histogram.percentile(50)),
      p99: delay(this.#histogram.percentile(99)),
      max: delay(this.#histogram.max),
    };
  }

  #turnPage(): void {
    this.#before = this.#now;
    this.#histogram.reset();
  }
}
