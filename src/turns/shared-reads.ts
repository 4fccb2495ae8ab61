import type { Store } from "../store/store.ts";
import type { EncodedEvent } from "./encoded-event.ts";

/** Where a turn's recorded events are read from. */
export type EventSource = Pick<Store, "readEvents">;

/**
 * Recorded events for the readers that stand at one place of a turn, as those do that stopped reading for the same reason:
 * the store is asked once, and the events are in memory once, however many readers hold them.
 *
 * What it gave is still right later: events are never changed, and more may always follow. It must not be changed.
 */
export class SharedReads implements EventSource {
  readonly #source: EventSource;
  readonly #asked = new Map<string, Promise<EncodedEvent[]>>();
  /** Where in memory the events are that somebody still holds, or a part of them. */
  readonly #held = new Map<string, HeldEvents>();
  readonly #letGo = new FinalizationRegistry<string>((place) => {
    // They may have been read again meanwhile.
    if (this.#held.get(place)?.memory.deref() === undefined) this.#held.delete(place);
  });

  constructor(source: EventSource) {
    this.#source = source;
  }

  /** As `Store.readEvents`. */
  async readEvents(
    turnId: string,
    afterSequence: number,
    maxBytes: number,
  ): Promise<EncodedEvent[]> {
    const place = `${turnId} ${afterSequence} ${maxBytes}`;
    const held = this.#heldAt(place);
    if (held !== undefined) return held;
    const asked = this.#asked.get(place);
    if (asked !== undefined) return asked;
    const reading = this.#source.readEvents(turnId, afterSequence, maxBytes);
    this.#asked.set(place, reading);
    try {
      const events = await reading;
      this.#hold(place, events);
      return events;
    } finally {
      this.#asked.delete(place);
    }
  }

  #heldAt(place: string): EncodedEvent[] | undefined {
    const { memory, parts = [] } = this.#held.get(place) ?? {};
    const buffer = memory?.deref();
    return buffer && parts.map(({ offset, length }) => new Uint8Array(buffer, offset, length));
  }

  #hold(place: string, events: readonly EncodedEvent[]): void {
    const buffer = events[0]?.buffer;
    if (buffer === undefined || events.some((event) => event.buffer !== buffer)) return;
    const parts = events.map(({ byteOffset: offset, length }) => ({ offset, length }));
    this.#held.set(place, { memory: new WeakRef(buffer), parts });
    this.#letGo.register(buffer, place);
  }
}

/** Events that are in one piece of memory, for as long as that is there. */
interface HeldEvents {
  readonly memory: WeakRef<ArrayBufferLike>;
  readonly parts: readonly { readonly offset: number; readonly length: number }[];
}
