import { ByteLines, type SkipCause } from "../../stream/byte-lines.ts";
import type { MemoryBudget } from "../../stream/memory-budget.ts";
import {
  costOf,
  LONG_BYTES,
  type OutputReader,
  type OutputScheduler,
} from "../output-scheduler.ts";
import type { PipedProcess } from "./piped-process.ts";
import { stopwatch } from "./stopwatch.ts";

/** How much of what a process prints is looked at between two looks at the clock. */
const PIECE_BYTES = 4096;
/** A line that is whole but for its newline counts once nothing has come behind it for so long. */
const SILENT_MS = 1000;

/** Takes what a process prints. Must not throw. */
export interface PrintedLines {
  /** A whole line, without its newline. Valid only during the call. */
  line(bytes: Uint8Array): void;
  /** A line was not read. */
  skipped(bytes: number, cause: SkipCause): void;
  /** Whether what came of a line is all that it can be. Valid only during the call. */
  isWhole(bytes: Uint8Array): boolean;
  /** All that came in one piece was given. */
  flush(): void;
}

/**
 * Reads what one process prints, in lines.
 *
 * 1. All of it is read, in turns with the other processes.
 * 2. It prints no faster than it is read: while it is paused it waits.
 * 3. A line that is whole and whose newline does not come is given all the same, once.
 * 4. Once it is to end, nothing is waited for but a pause.
 */
export class PacedReader implements OutputReader {
  readonly #pipes: PipedProcess;
  readonly #memory: MemoryBudget;
  readonly #scheduler: OutputScheduler;
  #isPaused = false;
  /** Others are read first. */
  #isHeld = false;
  #isEnding = false;
  /** How many have been printed, and answered. */
  #lines = 0;
  #heardTime = performance.now();
  #silence: NodeJS.Timeout | undefined;
  /** Longer with each time that a line was looked at in vain: who prints a byte a second has it looked at a few times. */
  #silentMs = SILENT_MS;

  /** @param memory - What is held of a line is taken from it; what is kept of others counts in it too. */
  constructor(pipes: PipedProcess, memory: MemoryBudget, scheduler: OutputScheduler) {
    this.#pipes = pipes;
    this.#memory = memory;
    this.#scheduler = scheduler;
  }

  /** How long nothing has been printed, in milliseconds. */
  get silentMs(): number {
    return performance.now() - this.#heardTime;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Something that was printed was answered: that costs as much again. */
  answered(): void {
    this.#lines++;
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#pipes.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#isPaused = false;
    this.#readOnAfter(0);
  }

  /** Has the rest read without waiting: only who is read to the end is seen to end. */
  finish(): void {
    this.#isEnding = true;
    this.resume();
  }

  readOn(): void {
    this.#isHeld = false;
    if (!this.#isPaused) this.#pipes.resume();
  }

  /** Reads to the end. To be called once. */
  async read(maxLineBytes: number, to: PrintedLines): Promise<void> {
    const lines = {
      line: (bytes: Uint8Array) => {
        this.#lines++;
        this.#silentMs = SILENT_MS;
        this.#heardTime = performance.now();
        to.line(bytes);
      },
      skipped: (bytes: number, cause: SkipCause) => {
        this.#heardTime = performance.now();
        to.skipped(bytes, cause);
      },
    };
    const framing = new ByteLines(maxLineBytes, lines, this.#memory);
    this.#memory.giveWay = () => framing.drop();
    await this.#pipes.read((chunk) => {
      clearTimeout(this.#silence);
      const left = this.#look(chunk, framing, to);
      if (framing.held.length > 0) this.#awaitSilence(framing, to);
      return left;
    });
    clearTimeout(this.#silence);
    this.#scheduler.forget(this);
    framing.end();
    to.flush();
  }

  /** 3. */
  #awaitSilence(framing: ByteLines, to: PrintedLines): void {
    const look = () => {
      // What it printed meanwhile has not been read.
      if (this.#isPaused || this.#isHeld) this.#awaitSilence(framing, to);
      else if (to.isWhole(framing.held)) {
        framing.end();
        to.flush();
      } else this.#silentMs *= 2;
    };
    this.#silence = setTimeout(look, this.#silentMs).unref();
  }

  /** Gives on what there is time for. Answers what is left. */
  #look(chunk: Buffer, framing: ByteLines, to: PrintedLines): Buffer {
    const looked = stopwatch(chunk.length + this.#memory.taken);
    const before = this.#lines;
    const cost = () => costOf(looked(), this.#lines - before, chunk.length - rest.length);
    const most = this.#scheduler.sliceMs(this);
    let rest = chunk;
    do {
      framing.push(rest.subarray(0, PIECE_BYTES));
      rest = rest.subarray(PIECE_BYTES);
    } while (rest.length > 0 && cost() < most);
    to.flush();
    this.#readOnAfter(cost());
    return rest;
  }

  #readOnAfter(costMs: number): void {
    // 4.
    if (this.#isEnding) this.#scheduler.forget(this);
    const hasLongLine = this.#memory.taken > LONG_BYTES;
    // 1.
    this.#isHeld = !this.#isEnding && !this.#scheduler.looked(this, costMs, hasLongLine);
    // 2.
    if (this.#isPaused || this.#isHeld) this.#pipes.pause();
    else this.#pipes.resume();
  }
}
