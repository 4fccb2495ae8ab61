import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { isTerminal } from "../../src/agent/agent.ts";
import { Refusal } from "../../src/errors.ts";
import { decodeEvent, type EncodedEvent } from "../../src/turns/encoded-event.ts";
import { ShownText } from "../support/shown-text.ts";
import type { StreamPiece } from "./pulled-subscription.ts";

/** Where a reader stands. */
export type ReaderState = "new" | "reading" | "ended" | "cut" | Refusal;

/** What is known of the turn beside its reader. */
export interface KnownTurn {
  /** The turn's newest event on disk. */
  durable(): number;
  /** What is wrong with showing a text that is being written, other than none, to a reader of so many events. */
  faultOfShown(text: string, cursor: number): string | undefined;
}

/** A reader of one turn, who takes a piece only when told to, and notes whatever breaks the promises made to readers. */
export class CheckedReader {
  /** The sequence that it asked to be told of what follows. */
  readonly after: number;
  /** The events that it got. */
  readonly seen: EncodedEvent[] = [];
  /** What was wrong. */
  readonly faults: string[] = [];
  state: ReaderState = "new";
  /** It has been told that it caught up. */
  isCaughtUp = false;
  readonly #stream: AsyncGenerator<StreamPiece>;
  readonly #leaving = new AbortController();
  /** The text that is being written; undefined: it did not ask for it. */
  readonly shown: ShownText | undefined;
  readonly #turn: KnownTurn;
  #asked = 0;
  #reading: Promise<void> | undefined;

  /**
   * @param open - Opens the stream, which ends when the signal aborts.
   * @param textDeltas - Whether it asks for text as it is written.
   */
  constructor(
    after: number,
    open: (after: number, signal: AbortSignal) => AsyncGenerator<StreamPiece>,
    turn: KnownTurn,
    textDeltas: boolean,
  ) {
    this.after = after;
    this.#stream = open(after, this.#leaving.signal);
    this.#turn = turn;
    this.shown = textDeltas ? new ShownText() : undefined;
  }

  /** The last event that it got. */
  get cursor(): number {
    return this.after + this.seen.length;
  }

  /** It waits for a piece that has not come. */
  get isHungry(): boolean {
    return this.#reading !== undefined;
  }

  /** It holds a place among the turn's readers. */
  get isCounted(): boolean {
    return this.state === "reading";
  }

  /** It got the turn's terminal event. */
  get hasEnd(): boolean {
    const last = this.seen.at(-1);
    return last !== undefined && isTerminal(decodeEvent(last).kind);
  }

  /** Takes so many more pieces, as they come. */
  read(pieces: number): void {
    this.#asked += pieces;
    this.#reading ??= this.#take().finally(() => {
      this.#reading = undefined;
    });
  }

  /** Is gone without a word. */
  vanish(): void {
    this.#stop("cut");
    this.#leaving.abort();
  }

  /** Leaves in order where it does not wait for a piece, else vanishes. */
  async leave(): Promise<void> {
    if (this.#reading !== undefined) return this.vanish();
    this.#stop("cut");
    await this.#stream.return(undefined);
  }

  async #take(): Promise<void> {
    try {
      for (; this.#asked > 0; this.#asked--) {
        const { done, value } = await this.#stream.next();
        if (done) return this.#stop("ended");
        this.#check(value);
      }
    } catch (error) {
      if (error instanceof Refusal) this.#stop(error);
      else this.faults.push(`failed: ${error}`);
    }
  }

  /** The first way to end counts. */
  #stop(state: Exclude<ReaderState, "new" | "reading">): void {
    this.#asked = 0;
    if (this.state === "new" || this.state === "reading") this.state = state;
  }

  #check(piece: StreamPiece): void {
    if (this.state === "cut") return;
    if (this.hasEnd) this.faults.push("a piece after the terminal event");
    if (this.state === "new") {
      this.state = "reading";
      if (!("transient" in piece)) this.faults.push("begins without a checkpoint");
    }
    if ("encoded" in piece) this.#checkEvents(piece.encoded);
    else if (piece.transient.kind.case === "textDelta") this.#checkDelta(piece.transient);
    else this.#checkCheckpoint(piece.transient.kind);
  }

  #checkEvents(events: readonly EncodedEvent[]): void {
    if (events.length === 0) this.faults.push("an empty piece");
    for (const event of events) {
      const { sequence, kind } = decodeEvent(event);
      this.shown?.take(kind);
      if (sequence !== this.cursor + 1) {
        this.faults.push(`event ${sequence} after ${this.cursor}`);
      }
      this.seen.push(event);
    }
    if (this.cursor > this.#turn.durable()) {
      this.faults.push(`saw ${this.cursor} while ${this.#turn.durable()} was on disk`);
    }
  }

  #checkDelta({ sequence, kind }: TurnEvent): void {
    if (sequence !== 0) this.faults.push(`a delta with the sequence ${sequence}`);
    if (!this.isCaughtUp) this.faults.push("a delta before it caught up");
    if (this.shown === undefined) return void this.faults.push("a delta that was not asked for");
    this.shown.take(kind);
    const { text } = this.shown;
    const fault = text === "" ? undefined : this.#turn.faultOfShown(text, this.cursor);
    if (fault !== undefined) this.faults.push(fault);
  }

  #checkCheckpoint(kind: Extract<StreamPiece, { transient: unknown }>["transient"]["kind"]): void {
    if (kind.case !== "checkpoint") return void this.faults.push(`a transient ${kind.case}`);
    const { sequence, caughtUp } = kind.value;
    if (sequence !== this.cursor) this.faults.push(`checkpoint ${sequence} at ${this.cursor}`);
    if (caughtUp && this.isCaughtUp) this.faults.push("told twice that it caught up");
    this.isCaughtUp ||= caughtUp;
  }
}
