import { createHash } from "node:crypto";

/** The events of turns as they were received first, to hold everything against that is received later. */
export class TurnCopies {
  readonly #turns = new Map<string, Uint8Array[]>();

  /** Whether an event is the same, to the byte, as whenever it came before. Keeps a copy where it is the first. */
  agrees(turnId: string, sequence: number, bytes: Uint8Array): boolean {
    const events = this.#eventsOf(turnId);
    const before = events[sequence - 1];
    if (before !== undefined) return Buffer.compare(before, bytes) === 0;
    events[sequence - 1] = Uint8Array.from(bytes);
    return true;
  }

  /** What tells two copies of a turn apart, and how many events are in this one. */
  digest(turnId: string): TurnDigest {
    const events = this.#eventsOf(turnId);
    const hash = createHash("sha256");
    for (const event of events) hash.update(`${event?.length} `).update(event ?? "");
    return { events: events.length, hash: hash.digest("hex") };
  }

  #eventsOf(turnId: string): Uint8Array[] {
    const events = this.#turns.get(turnId) ?? [];
    this.#turns.set(turnId, events);
    return events;
  }
}

/** A turn's events in short. */
export interface TurnDigest {
  readonly events: number;
  readonly hash: string;
}
