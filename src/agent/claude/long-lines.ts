import { deserialize } from "node:v8";
import type { Log } from "../../log.ts";
import { AskedThread, NoThreadError } from "../../stream/asked-thread.ts";
import type { LongLineAnswer, LongLineCall } from "./long-line-worker.ts";
import { prepareLine } from "./prepare-line.ts";
import type { PreparedPart } from "./prepared-line.ts";

/** So many times as much as a line takes the thread may: as bytes, as text, as what was parsed, some of it twice as wide. */
const MEMORY_FACTOR = 8;
/** What the thread takes beside that. */
const MEMORY_MB = 64;
const MIB = 1024 * 1024;
/** What a line that is longer leaves behind in the thread is worth the start of another. */
const LAST_BYTES = 8 * MIB;

/** Reads long lines in a thread of its own, one after the other, so that nobody else waits for them. */
export class LongLines {
  readonly #thread: AskedThread<LongLineCall, LongLineAnswer>;
  readonly #maxEventBytes: number;
  readonly #log: Log;

  /** @param maxEventBytes - What an event may take. */
  constructor(maxLineBytes: number, maxEventBytes: number, log: Log) {
    this.#thread = new AskedThread(new URL(workerFile, import.meta.url), {
      maxYoungGenerationSizeMb: 8,
      maxOldGenerationSizeMb: MEMORY_MB + MEMORY_FACTOR * Math.ceil(maxLineBytes / MIB),
    });
    this.#maxEventBytes = maxEventBytes;
    this.#log = log;
  }

  /**
   * Reads a line, whose memory is given away. Answers what gives its parts, in their order. Never rejects: where the thread
   * ends under it that is what the line comes to.
   */
  async read(bytes: Uint8Array<ArrayBuffer>): Promise<(() => PreparedPart)[]> {
    const { length } = bytes;
    try {
      const call = { bytes, maxEventBytes: this.#maxEventBytes };
      const parts = await this.#thread.ask(call, [bytes.buffer], length > LAST_BYTES);
      return parts.map((part) => () => deserialize(part) as PreparedPart);
    } catch (error) {
      if (!(error instanceof NoThreadError)) return [() => this.#lost(length, error)];
      // Slower for everyone, but none is lost.
      return prepareLine(bytes, this.#maxEventBytes).map((part) => () => part);
    }
  }

  #lost(bytes: number, error: unknown): PreparedPart {
    this.#log.error("the thread that reads an agent's long lines ended", { bytes, error });
    return { is: "refused", bytes, cause: "thread" };
  }
}

/** The worker runs as this file does: as TypeScript in the repository, compiled in the package. */
const workerFile = import.meta.url.endsWith(".ts")
  ? "./long-line-worker.ts"
  : "./long-line-worker.js";
