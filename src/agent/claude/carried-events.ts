import type { EventKind } from "../agent.ts";

/** Events that a turn tells of beside what its process prints: of the time before it, and of how its prompt was delivered. */
export class CarriedEvents {
  #events: EventKind[] = [];

  add(events: readonly EventKind[]): void {
    this.#events.push(...events);
  }

  putFirst(event: EventKind): void {
    this.#events.unshift(event);
  }

  /**
   * Puts them behind the batch's `session` event, before which only notices may come; until there is one they wait. A turn
   * that ends without one has the notices.
   *
   * @param isLast - No other batch follows.
   */
  putInto(batch: EventKind[], isLast: boolean): EventKind[] {
    if (this.#events.length === 0) return batch;
    const session = batch.findIndex((event) => event.case === "session");
    if (session === -1 && !isLast) return batch;
    const carried = this.#events.filter(({ case: kind }) => session !== -1 || kind === "notice");
    this.#events = [];
    return batch.toSpliced(session + 1, 0, ...carried);
  }
}
