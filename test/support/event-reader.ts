import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventMessage, KindName } from "./events.ts";

/** A stream that is read event by event. */
export class EventReader implements AsyncDisposable {
  /** What was read so far. */
  readonly seen: TurnEvent[] = [];
  readonly #iterator: AsyncIterator<EventMessage>;

  constructor(stream: AsyncIterable<EventMessage>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** Reads up to an event of a kind. Rejects where the stream ends before. */
  async until(wanted: KindName): Promise<TurnEvent> {
    for (;;) {
      const { done, value } = await this.#iterator.next();
      if (done || value.event === undefined) throw new Error(`the stream ended before ${wanted}`);
      this.seen.push(value.event);
      if (value.event.kind.case === wanted) return value.event;
    }
  }

  /** Reads to the end and answers all that the stream held. */
  async rest(): Promise<TurnEvent[]> {
    for (;;) {
      const { done, value } = await this.#iterator.next();
      if (done) return this.seen;
      if (value.event !== undefined) this.seen.push(value.event);
    }
  }

  /** Leaves the stream. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#iterator.return?.();
  }
}
