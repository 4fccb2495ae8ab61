import { AskedThread, workerBeside } from "../stream/asked-thread.ts";
import type { TreeSize } from "./tree-size.ts";

/** Measures trees of files in a thread of its own, slowly. */
export class TreeSizes {
  readonly #thread = new AskedThread<string, TreeSize>(
    workerBeside(import.meta.url, "size-worker"),
    { limits: { maxYoungGenerationSizeMb: 2 } },
  );

  /** Measures a directory, as `measureTree`. Undefined: it could not be, for want of a thread. Never rejects. */
  async measure(path: string): Promise<TreeSize | undefined> {
    return this.#thread.ask(path).catch(() => undefined);
  }
}
