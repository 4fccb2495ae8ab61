import type { SkipCause } from "../../stream/byte-lines.ts";

/** What came of looking at the beginning of a long line. */
export interface LookedAt {
  readonly isWhole: boolean;
  /** The line's. Undefined: it was lost, and the line with it. */
  readonly memory: ArrayBuffer | undefined;
}

/** Takes what a process prints. Must not throw. */
export interface PrintedLines {
  /** A whole line, without its newline. Valid only during the call. */
  line(bytes: Uint8Array): void;
  /** A line was not read. */
  skipped(bytes: number, cause: SkipCause): void;
  /** Whether what came of a line is all that it can be. Valid only during the call. */
  isWhole(bytes: Uint8Array): boolean;
  /** Takes lines that are long. Left out: they are lines like others. */
  readonly long?: LongPrintedLines;
  /** All that came in one piece was given. */
  flush(): void;
}

/** Takes lines elsewhere that would hold up the thread. Must not reject. */
export interface LongPrintedLines {
  /**
   * A whole line, whose memory is the taker's. Resolves with what gives what it comes to, part after part; each answers about
   * how many bytes go on with it. Nothing else is given before that.
   */
  line(bytes: Uint8Array<ArrayBuffer>): Promise<(() => number)[]>;
  /** Whether what came of a line, whose memory is lent, is all that it can be. */
  isWhole(bytes: Uint8Array<ArrayBuffer>): Promise<LookedAt>;
}
