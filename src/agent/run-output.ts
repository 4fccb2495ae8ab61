import type { MemoryBudget } from "../stream/memory-budget.ts";
import type { EventKind } from "./agent.ts";
import { Channel } from "./channel.ts";
import { LARGE_BYTES, partsOf } from "./event-parts.ts";

/** What a batch counts in the memory of the process that it came from. */
interface Charge {
  readonly memory: MemoryBudget;
  readonly bytes: number;
}

/**
 * What a run gives its turn, batch after batch, and what that holds of its process's memory.
 *
 * 1. A batch counts in the memory of the process that it came from until the turn has dealt with it.
 */
export class RunOutput {
  readonly #batches: Channel<EventKind[]>;
  /** Of the batches that were given, and not yet dealt with. */
  readonly #charges = new Map<EventKind[], Charge>();
  #memory: MemoryBudget | undefined;
  /** Of the one that is being made. */
  #bytes = 0;

  /** @param asked - Called when the turn asks for more than there is. */
  constructor(asked: () => void) {
    this.#batches = new Channel(asked, (batch) => this.#giveBack(batch));
  }

  /** To be read once. */
  get batches(): AsyncIterable<EventKind[]> {
    return this.#batches;
  }

  /** Whether the turn has something to take up, or is still at what it took last, disk included, and that is large. */
  get mustWait(): boolean {
    if (this.#batches.hasUnread) return true;
    let bytes = 0;
    for (const charge of this.#charges.values()) bytes += charge.bytes;
    return bytes > LARGE_BYTES;
  }

  /** From now on what is made comes from another process. */
  chargeTo(memory: MemoryBudget): void {
    this.discharge();
    this.#memory = memory;
  }

  /** The batch that is being made takes so many bytes more. */
  charge(bytes: number): void {
    this.#bytes += bytes;
    this.#memory?.charge(bytes);
  }

  /** What is being made comes to nothing. */
  discharge(): void {
    this.#memory?.giveBack(this.#bytes);
    this.#bytes = 0;
  }

  /** Gives a batch, cut where it is large: it is a part of it that other turns wait for until it is on the disk. */
  give(batch: EventKind[]): void {
    const parts = partsOf(batch);
    // 1.
    if (this.#memory !== undefined) {
      this.#charges.set(parts.at(-1)!, { memory: this.#memory, bytes: this.#bytes });
    }
    this.#bytes = 0;
    for (const part of parts) this.#batches.send(part);
  }

  /** Has the turn look at what is told beside the batches. */
  stir(): void {
    this.#batches.send([]);
  }

  /** Nothing more comes; where there is a failure, whoever asks on is told of it. */
  close(failure?: Error): void {
    this.#batches.close(failure);
  }

  /** Takes back what the turn has not asked for. */
  takeBack(): EventKind[] {
    return this.#batches.drain().flat();
  }

  #giveBack(batch: EventKind[]): void {
    const charge = this.#charges.get(batch);
    charge?.memory.giveBack(charge.bytes);
    this.#charges.delete(batch);
  }
}
