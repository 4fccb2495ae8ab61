import type { EncodedEvent } from "./encoded-event.ts";

/** What all running turns together may keep, and the most that one of them may. */
const ALL_BYTES = 8 * 1024 * 1024;
const TURN_BYTES = 1024 * 1024;
/** The newest batch is kept whatever the share, up to this: as much as a pipe gives at a time. */
const BATCH_BYTES = 128 * 1024;
/** What an event costs in memory beside its bytes, about. */
const EVENT_OVERHEAD_BYTES = 250;

/** How many turns' newest events share the memory. */
export class RecentEventsBudget {
  #turns = 0;

  /** What each turn may keep now. */
  get bytes(): number {
    return Math.min(TURN_BYTES, ALL_BYTES / Math.max(1, this.#turns));
  }

  /** Counts one more turn, until the returned function is called. */
  add(): () => void {
    this.#turns++;
    return () => void this.#turns--;
  }
}

interface Batch {
  readonly first: number;
  readonly events: readonly EncodedEvent[];
  readonly bytes: number;
}

/** The newest events of a running turn, so that readers who keep up cost no I/O. Bounded in bytes. */
export class RecentEvents {
  readonly #budget: RecentEventsBudget;
  readonly #batches: Batch[] = [];
  #bytes = 0;

  constructor(budget: RecentEventsBudget) {
    this.#budget = budget;
  }

  /** Takes events that follow those it has. */
  push(first: number, events: readonly EncodedEvent[]): void {
    const bytes = events.reduce((sum, event) => sum + event.length + EVENT_OVERHEAD_BYTES, 0);
    this.#batches.push({ first, events, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#budget.bytes && !this.#isLeast()) {
      this.#bytes -= this.#batches.shift()!.bytes;
    }
  }

  #isLeast(): boolean {
    return this.#batches.length <= 1 && this.#bytes <= BATCH_BYTES;
  }

  /** Forgets what every reader has. */
  clear(): void {
    this.#batches.length = 0;
    this.#bytes = 0;
  }

  /** Some of the events from after a sequence on; undefined where they are no longer, or not yet, here. */
  after(sequence: number): readonly EncodedEvent[] | undefined {
    const index = this.#batches.findLastIndex((batch) => batch.first <= sequence + 1);
    const batch = this.#batches[index];
    if (batch === undefined) return undefined;
    const skipped = sequence + 1 - batch.first;
    if (skipped >= batch.events.length) return undefined;
    return skipped === 0 ? batch.events : batch.events.slice(skipped);
  }
}
