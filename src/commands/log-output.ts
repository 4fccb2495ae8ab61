import { constants, fstatSync, openSync, writeSync } from "node:fs";

const { O_APPEND, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;

/**
 * Writes lines to a descriptor and never waits for who reads it: a pager that is not scrolled or a terminal that was stopped
 * (Ctrl-S) would hold up every turn. Lines for which there is no room are lost, and how many is told as soon as there is.
 * Never throws. A socket, such as the journal's, can only be written to at its own pace.
 */
export class LogOutput {
  readonly #fd: number;
  /** What there was no room for of a line that has begun. */
  #waiting: Buffer = Buffer.alloc(0);
  #lost = 0;

  constructor(fd: number) {
    this.#fd = withoutWaiting(fd);
  }

  write(line: string): void {
    this.#waiting = this.#put(this.#waiting);
    if (this.#waiting.length > 0) {
      this.#lost++;
      return;
    }
    const lines = Buffer.from(this.#lost > 0 ? lostLine(this.#lost) + line : line);
    const rest = this.#put(lines);
    if (rest.length === lines.length) {
      this.#lost++;
      return;
    }
    this.#lost = 0;
    this.#waiting = rest;
  }

  /** Writes as much as there is room for now, and answers the rest. */
  #put(bytes: Buffer): Buffer {
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
    } catch {
      // No room, nobody who reads, a full disk: the next line is tried all the same.
    }
    return Buffer.from(bytes.subarray(written));
  }
}

function lostLine(count: number): string {
  const line = { time: new Date(), level: "warn", message: "lines of the log were lost", count };
  return `${JSON.stringify(line)}\n`;
}

/**
 * The same pipe or terminal opened anew, for this process alone: whoever else writes to it, npm for one, is not made for a
 * descriptor that does not wait.
 */
function withoutWaiting(fd: number): number {
  try {
    const stats = fstatSync(fd);
    if (!stats.isFIFO() && !stats.isCharacterDevice()) return fd;
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY);
  } catch {
    // Not Linux, or not this user's.
    return fd;
  }
}
