import type { EncodedEvent } from "./encoded-event.ts";

/** The newest events of a running turn, so that readers who keep up cost no I/O. Bounded in bytes. */
export class Tail {
  readonly #maxBytes: number;
  #batches: {
    readonly first: number;
    readonly events: readonly EncodedEvent[];
    readonly bytes: number;
  }[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes events that follow those it has. */
  push(first: number, events: readonly EncodedEvent[]): void {
    const bytes = events.reduce((sum, event) => sum + event.length, 0);
    this.#batches.push({ first, events, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes && this.#batches.length > 1) {
      this.#bytes -= this.#batches.shift()!.bytes;
    }
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
