/** From then on a line, with what was made of the ones before it, is a long one. Most have less than a tenth of it. */
export const LONG_BYTES = 1024 * 1024;

/** Who has one has so long at a time, while others wait. */
const TURN_MS = 2000;
/** Behind each the server's thread is everybody else's for so many times as long as it took. */
const REST_FACTOR = 4;

/** A process that prints a long line. */
export interface LongLineReader {
  /** It has printed the line, and its turn is at it: nothing that it does or leaves takes longer. */
  readonly isPaused: boolean;
  /** It is its turn: it may be read on. Must not throw. */
  readOn(): void;
}

/**
 * Whose long line is read: one process's at a time, so that however many print them, the memory that one takes on its way
 * from the pipe to the disk is needed once, and other turns wait for one at the most.
 *
 * 1. Who asks first is first; who is not done within its time is last again.
 */
export class LongLines {
  readonly #waiting = new Set<LongLineReader>();
  #current: LongLineReader | undefined;
  /** The end of somebody's turn, or of the rest behind it. */
  #timer: NodeJS.Timeout | undefined;

  /** Whether a process may be read on. Where it may not, `readOn` is called once it may. */
  enter(reader: LongLineReader): boolean {
    if (this.#current === reader) return true;
    if (this.#timer !== undefined) this.#waiting.add(reader);
    else this.#begin(reader);
    return this.#current === reader;
  }

  /**
   * A process has no long line any more. Idempotent.
   *
   * @param tookMs - How long it held the server's thread.
   */
  leave(reader: LongLineReader, tookMs = 0): void {
    this.#waiting.delete(reader);
    if (this.#current === reader) this.#end(tookMs * REST_FACTOR);
  }

  #begin(reader: LongLineReader): void {
    this.#current = reader;
    this.#timer = setTimeout(() => this.#timeOut(reader), TURN_MS).unref();
  }

  #timeOut(reader: LongLineReader): void {
    if (reader.isPaused) this.#begin(reader);
    else this.#end(0);
  }

  #end(restMs: number): void {
    clearTimeout(this.#timer);
    this.#current = undefined;
    this.#timer = setTimeout(() => this.#next(), restMs).unref();
  }

  #next(): void {
    this.#timer = undefined;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#begin(next);
    next.readOn();
  }
}
