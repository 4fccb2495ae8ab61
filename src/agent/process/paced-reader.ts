import { setImmediate as nextLoop } from "node:timers/promises";
import { ByteLines, type SkipCause } from "../../stream/byte-lines.ts";
import type { MemoryBudget } from "../../stream/memory-budget.ts";
import {
  costOf,
  LONG_BYTES,
  memoryCostOf,
  type OutputReader,
  type OutputScheduler,
} from "../output-scheduler.ts";
import type { PipedProcess } from "./piped-process.ts";
import type { LongPrintedLines, PrintedLines } from "./printed-lines.ts";
import { stopwatch } from "./stopwatch.ts";

/** How much of what a process prints is looked at between two looks at the clock, unless it is of one line. */
const PIECE_BYTES = 4096;
/** A line that is whole but for its newline counts once nothing has come behind it for so long. */
const SILENT_MS = 1000;
/** A line that is longer holds the thread for some milliseconds: it is read elsewhere. */
const THREAD_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

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
  /** How much of what was printed went on. */
  #bytes = 0;
  /** Resolves when a long line was dealt with: what comes behind it is not looked at before. Undefined: there is none. */
  #long: Promise<void> | undefined;
  #goOn: () => void = () => {};
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
    return this.#isPaused || this.#long !== undefined;
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
    this.#flow();
  }

  /** Reads to the end. To be called once. */
  async read(maxLineBytes: number, to: PrintedLines): Promise<void> {
    const { long } = to;
    const lines = {
      line: (bytes: Uint8Array) => {
        this.#heard(bytes.length);
        to.line(bytes);
      },
      ...(long && {
        long: (bytes: Uint8Array<ArrayBuffer>, giveBack: () => void) => {
          this.#heard(0);
          this.#long = this.#giveLong(bytes, giveBack, long, to);
        },
      }),
      skipped: (bytes: number, cause: SkipCause) => {
        this.#heard(0);
        to.skipped(bytes, cause);
      },
    };
    const framing = new ByteLines(maxLineBytes, lines, this.#memory, THREAD_BYTES);
    this.#memory.giveWay = () => framing.drop();
    await this.#pipes.read((chunk) => {
      clearTimeout(this.#silence);
      const left = this.#look(chunk, framing, to);
      if (framing.held.length > 0) this.#awaitSilence(framing, to);
      return left;
    });
    clearTimeout(this.#silence);
    await this.#long;
    framing.end();
    await this.#long;
    this.#scheduler.forget(this);
    to.flush();
  }

  /** 3. */
  #awaitSilence(framing: ByteLines, to: PrintedLines): void {
    const look = () => {
      // What it printed meanwhile has not been read.
      if (this.isPaused || this.#isHeld) return this.#awaitSilence(framing, to);
      const long = framing.lend();
      if (long === undefined) this.#endSilent(framing, to, to.isWhole(framing.held));
      else {
        this.#long = this.#lookAtLong(long, framing, to);
        this.#flow();
      }
    };
    this.#silence = setTimeout(look, this.#silentMs).unref();
  }

  /** 3., where it takes long to see whether a line is whole. */
  async #lookAtLong(
    bytes: Uint8Array<ArrayBuffer>,
    framing: ByteLines,
    to: PrintedLines,
  ): Promise<void> {
    const { isWhole, memory } = await to.long!.isWhole(bytes);
    framing.takeBack(memory);
    this.#long = undefined;
    this.#endSilent(framing, to, isWhole);
    this.#flow();
  }

  #endSilent(framing: ByteLines, to: PrintedLines, isWhole: boolean): void {
    if (!isWhole) {
      this.#silentMs *= 2;
      return;
    }
    framing.end();
    to.flush();
  }

  /** Gives on what there is time for. Answers what is left. */
  #look(chunk: Buffer, framing: ByteLines, to: PrintedLines): Buffer {
    const cost = this.#costs(chunk.length + this.#memory.taken);
    const most = this.#scheduler.sliceMs(this);
    let rest = chunk;
    do {
      rest = rest.subarray(framing.push(rest.subarray(0, pieceOf(rest))));
    } while (rest.length > 0 && this.#long === undefined && cost() < most);
    to.flush();
    this.#readOnAfter(cost());
    return rest;
  }

  /** Gives what a long line comes to, once it was read, in turns with the other processes. */
  async #giveLong(
    bytes: Uint8Array<ArrayBuffer>,
    giveBack: () => void,
    long: LongPrintedLines,
    to: PrintedLines,
  ): Promise<void> {
    const memoryMs = memoryCostOf(bytes.length);
    const parts = await long.line(bytes);
    this.#readOnAfter(memoryMs);
    for (let give = parts.shift(); give !== undefined; give = parts.shift()) {
      // Others have their turn between two, and before the first.
      await nextLoop();
      while (this.#isPaused || this.#isHeld) await this.#waitForTurn();
      const cost = this.#costs(LONG_BYTES);
      this.#heard(give());
      to.flush();
      this.#readOnAfter(cost());
    }
    giveBack();
    this.#long = undefined;
    this.#readOnAfter(0);
  }

  #waitForTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }

  /** A line came, or a part of one, of which so many bytes go on. */
  #heard(bytes: number): void {
    this.#lines++;
    this.#bytes += bytes;
    this.#heardTime = performance.now();
    this.#silentMs = SILENT_MS;
  }

  /** Begins to measure what it costs that so many bytes are looked at. */
  #costs(bytes: number): () => number {
    const looked = stopwatch(bytes);
    const [lines, given] = [this.#lines, this.#bytes];
    return () => costOf(looked(), this.#lines - lines, this.#bytes - given);
  }

  #readOnAfter(costMs: number): void {
    // 4.
    if (this.#isEnding) this.#scheduler.forget(this);
    const hasLongLine = this.#memory.taken > LONG_BYTES;
    // 1.
    this.#isHeld = !this.#isEnding && !this.#scheduler.looked(this, costMs, hasLongLine);
    this.#flow();
  }

  /** 2. */
  #flow(): void {
    const mustWait = this.#isPaused || this.#isHeld;
    if (mustWait || this.#long !== undefined) this.#pipes.pause();
    else this.#pipes.resume();
    if (!mustWait) this.#goOn();
  }
}

/** How much is looked at at a time: some lines, or what there is of one. */
function pieceOf(chunk: Buffer): number {
  const end = chunk.indexOf(NEWLINE);
  return end === -1 ? chunk.length : Math.max(PIECE_BYTES, end + 1);
}
