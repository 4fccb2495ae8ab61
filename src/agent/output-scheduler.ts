/** From then on a line, with what was made of the ones before it, is a long one. Most have less than a tenth of it. */
export const LONG_BYTES = 1024 * 1024;

/** So long at a time what one process prints is looked at: where nobody is in a hurry, and where somebody may be. */
const SLICE_MS = { alone: 10, beside: 1 };
/** Who has cost so much, beyond its share of the time since, is a heavy one. A model's words come to a tenth of the share. */
const BURST_MS = 1;
const SHARE = 0.02;
/** A light one that printed within this time may print again at any moment. */
const BESIDE_MS = 1000;

/** Who has a long line may read so long on, while others wait; who has none loses its turn where it prints nothing. */
const TURN_MS = { long: 2000, other: 50 };
/**
 * Behind each turn the server's threads are everybody else's for so many times as long as it took. What took longer in one
 * go delays others by all of it: so few of it is let through that one of the others' events in two hundred is late.
 */
const REST = { factor: 9, holdMs: 5, moreOfHold: 190, mostMs: 60_000 };

/** What a turn has cost, in milliseconds, and how much of that took the threads for longer than a slice in one go. */
interface Cost {
  ms: number;
  holdMs: number;
}

function holdOf(costMs: number): number {
  return costMs > REST.holdMs ? costMs : 0;
}

/** What a line, and a byte of it, costs the server's threads behind being looked at, until it is on the disk and with its readers (measured). */
const LATER_MS = { perLine: 0.02, perByte: 5 / (1024 * 1024) };

/** What it costs the server that so much of an agent's output was looked at, all in all, in milliseconds. */
export function costOf(lookedMs: number, lines: number, bytes: number): number {
  return lookedMs + lines * LATER_MS.perLine + bytes * LATER_MS.perByte;
}

/** What memory that is held and let go of costs the server's threads: V8 collects all its garbage for some 20 MB of it (measured). */
const MEMORY_MS_PER_BYTE = 0.6 / (1024 * 1024);

/** What it costs the server that a line of so many bytes was held in one piece, in milliseconds. */
export function memoryCostOf(bytes: number): number {
  return bytes * MEMORY_MS_PER_BYTE;
}

/** A process whose output is looked at. */
export interface OutputReader {
  /** Its turn is at what it has printed: nothing that it does or leaves takes longer. */
  readonly isPaused: boolean;
  /** It may be read on. Must not throw. */
  readOn(): void;
}

/**
 * When which process's output is looked at: all of them on the one thread that everything else needs, too.
 *
 * 1. Who prints little is never held up.
 * 2. Those who print much, or a long line, are read one after the other while anybody prints little, who has cost least
 *    first; behind each the thread rests from them. So however many they are and whatever they print, the others' events
 *    are as good as on time.
 * 3. A long line is read of one process at a time: the memory that it takes on its way from the pipe to the disk is needed
 *    once.
 */
export class OutputScheduler {
  readonly #used = new WeakMap<OutputReader, { ms: number; time: number }>();
  /** Who printed little, and when last; the latest is the last. */
  readonly #light = new Map<OutputReader, number>();
  readonly #waiting = new Set<OutputReader>();
  /** Whose turn it is, what it has cost, how much of that in long goes, and how long it may take. */
  #current: (Cost & { readonly reader: OutputReader; forMs: number }) | undefined;
  /** The end of somebody's turn, or of the rest behind it. */
  #timer: NodeJS.Timeout | undefined;

  /** What a process's output may cost before others have their turn, in milliseconds. */
  sliceMs(reader: OutputReader): number {
    const isAlone = !this.#isBeside || (this.#light.size === 1 && this.#light.has(reader));
    return isAlone ? SLICE_MS.alone : SLICE_MS.beside;
  }

  /**
   * Counts what a process's output cost (`costOf`). Answers whether it may be read on; where it may not, `readOn` is
   * called once it may.
   *
   * @param hasLongLine - It has printed a long line, or a part of one, that its turn has not dealt with.
   */
  looked(reader: OutputReader, costMs: number, hasLongLine: boolean): boolean {
    this.#count(reader, costMs);
    if (hasLongLine) return this.#enter(reader);
    const isHeavy = this.#isHeavy(reader);
    if (isHeavy) this.#light.delete(reader);
    else if (costMs > 0) this.#noteLight(reader);
    if (isHeavy && this.#isBeside) return this.#wait(reader, costMs);
    this.#leave(reader);
    return true;
  }

  /** Nothing more comes of a process. Idempotent. */
  forget(reader: OutputReader): void {
    this.#light.delete(reader);
    this.#leave(reader);
  }

  /** Whether something may be printed at any moment that is not to wait. */
  get #isBeside(): boolean {
    const since = performance.now() - BESIDE_MS;
    for (const [reader, time] of this.#light) {
      if (time > since) return true;
      this.#light.delete(reader);
    }
    return false;
  }

  #noteLight(reader: OutputReader): void {
    this.#light.delete(reader);
    this.#light.set(reader, performance.now());
  }

  #isHeavy(reader: OutputReader): boolean {
    return this.#count(reader, 0) > BURST_MS;
  }

  #count(reader: OutputReader, costMs: number): number {
    const now = performance.now();
    const { ms, time } = this.#used.get(reader) ?? { ms: 0, time: now };
    const used = Math.max(0, ms - (now - time) * SHARE) + costMs;
    this.#used.set(reader, { ms: used, time: now });
    if (this.#current?.reader === reader) {
      this.#current.ms += costMs;
      this.#current.holdMs += holdOf(costMs);
    }
    return used;
  }

  #enter(reader: OutputReader): boolean {
    if (this.#current?.reader === reader) this.#current.forMs = TURN_MS.long;
    else if (this.#timer === undefined) this.#begin(reader, TURN_MS.long);
    else this.#waiting.add(reader);
    return this.#current?.reader === reader;
  }

  #wait(reader: OutputReader, costMs: number): boolean {
    if (this.#current?.reader === reader) this.#rest(this.#current);
    // What it was looked at without having waited counts as its turn.
    else if (this.#timer === undefined) this.#rest({ ms: costMs, holdMs: holdOf(costMs) });
    this.#waiting.add(reader);
    return false;
  }

  #leave(reader: OutputReader): void {
    this.#waiting.delete(reader);
    if (this.#current?.reader === reader) this.#rest(this.#current);
  }

  #begin(reader: OutputReader, forMs: number): void {
    this.#waiting.delete(reader);
    this.#current = { reader, ms: 0, holdMs: 0, forMs };
    this.#timer = setTimeout(() => this.#timeOut(forMs), forMs).unref();
  }

  #timeOut(hadMs: number): void {
    const current = this.#current!;
    const { reader, forMs } = current;
    const moreMs = reader.isPaused ? forMs : forMs - hadMs;
    if (moreMs <= 0) this.#rest(current);
    else this.#timer = setTimeout(() => this.#timeOut(forMs), moreMs).unref();
  }

  #rest({ ms, holdMs }: Cost): void {
    clearTimeout(this.#timer);
    this.#current = undefined;
    const restMs = ms * REST.factor + (this.#isBeside ? holdMs * REST.moreOfHold : 0);
    this.#timer = setTimeout(() => this.#next(), Math.min(restMs, REST.mostMs)).unref();
  }

  #next(): void {
    this.#timer = undefined;
    let next: OutputReader | undefined;
    for (const reader of this.#waiting) {
      if (next === undefined || this.#count(reader, 0) < this.#count(next, 0)) next = reader;
    }
    if (next === undefined) return;
    this.#begin(next, TURN_MS.other);
    next.readOn();
  }
}
