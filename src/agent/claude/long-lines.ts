import { deserialize } from "node:v8";
import type { Log } from "../../log.ts";
import { AskedThread, NoThreadError, workerBeside } from "../../stream/asked-thread.ts";
import type { LookedAt } from "../process/printed-lines.ts";
import type { LongLineAnswer, LongLineCall } from "./long-line-worker.ts";
import { prepareLine } from "./prepare-line.ts";
import { inGroups, type PreparedPart } from "./prepared-line.ts";
import { isWholeLine } from "./read-line.ts";

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
    const limits = {
      maxYoungGenerationSizeMb: 8,
      maxOldGenerationSizeMb: MEMORY_MB + MEMORY_FACTOR * Math.ceil(maxLineBytes / MIB),
    };
    this.#thread = new AskedThread(workerBeside(import.meta.url, "long-line-worker"), { limits });
    this.#maxEventBytes = maxEventBytes;
    this.#log = log;
  }

  /**
   * Reads a line, whose memory is given away. Answers what gives its parts, some at a time, in their order. Never rejects:
   * where the thread ends under it that is what the line comes to.
   */
  async read(bytes: Uint8Array<ArrayBuffer>): Promise<(() => PreparedPart[])[]> {
    const { length } = bytes;
    try {
      const { groups } = await this.#ask({
        is: "line",
        bytes,
        maxEventBytes: this.#maxEventBytes,
      });
      return groups.map((group) => () => deserialize(group) as PreparedPart[]);
    } catch (error) {
      if (!(error instanceof NoThreadError)) {
        this.#tell(length, error);
        return [() => [{ is: "refused", bytes: length, cause: "thread" }]];
      }
      // Slower for everyone, but none is lost.
      return inGroups(prepareLine(bytes, this.#maxEventBytes)).map((group) => () => group);
    }
  }

  /**
   * Whether what came of a line is all that it can be. Its memory is given away, and comes back, unless the thread ends
   * under it. Never rejects.
   */
  async isWhole(bytes: Uint8Array<ArrayBuffer>): Promise<LookedAt> {
    const { length, buffer } = bytes;
    try {
      const { isWhole, memory } = await this.#ask({ is: "beginning", bytes });
      return { isWhole, memory };
    } catch (error) {
      if (error instanceof NoThreadError) return { isWhole: isWholeLine(bytes), memory: buffer };
      this.#tell(length, error);
      return { isWhole: false, memory: undefined };
    }
  }

  #ask(call: LongLineCall): Promise<LongLineAnswer> {
    const { bytes } = call;
    return this.#thread.ask(call, [bytes.buffer], bytes.length > LAST_BYTES);
  }

  #tell(bytes: number, error: unknown): void {
    this.#log.error("the thread that reads an agent's long lines ended", { bytes, error });
  }
}
