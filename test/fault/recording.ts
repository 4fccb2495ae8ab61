import { ConnectError } from "@connectrpc/connect";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventMessage } from "../support/events.ts";

/** A reader that keeps all it received of one stream, whichever way the stream ended. */
export class Recording {
  /** What was received so far, checkpoints included. */
  readonly events: TurnEvent[] = [];
  /** When each came, as `performance.now()` tells it. */
  readonly times: number[] = [];
  /** Resolves when the stream has ended or was cut: undefined where it ended well. Never rejects. */
  readonly over: Promise<ConnectError | undefined>;
  readonly #waiting = new Set<() => void>();
  #isOver = false;

  /** Begins to read. The stream's owner ends it, by its signal or its connection. */
  constructor(stream: AsyncIterable<EventMessage>) {
    this.over = this.#read(stream).finally(() => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** The turn's id, once a message came. */
  get turnId(): string | undefined {
    return this.events[0]?.turnId;
  }

  /** The events on record among those received. */
  get durable(): TurnEvent[] {
    return this.events.filter((event) => event.sequence > 0);
  }

  /** Whether the turn's terminal event was received. */
  get hasEnd(): boolean {
    const last = this.events.at(-1)?.kind.case;
    return last === "result" || last === "error";
  }

  /** Resolves true once so many events on record were received, false where the stream ends before. */
  async received(count: number): Promise<boolean> {
    while (!this.#isOver && this.durable.length < count) await this.#change();
    return this.durable.length >= count;
  }

  /** Resolves with the turn's id at the first message; undefined where the stream ends before. */
  async accepted(): Promise<string | undefined> {
    while (!this.#isOver && this.turnId === undefined) await this.#change();
    return this.turnId;
  }

  async #read(stream: AsyncIterable<EventMessage>): Promise<ConnectError | undefined> {
    try {
      for await (const { event } of stream) {
        if (event === undefined) continue;
        this.events.push(event);
        this.times.push(performance.now());
        this.#wake();
      }
      return undefined;
    } catch (error) {
      return ConnectError.from(error);
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
