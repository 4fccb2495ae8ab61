import { AskedThread, workerBeside } from "../stream/asked-thread.ts";
import { type LeftFiles, TREES_AT_ONCE } from "./remove-tree.ts";

/** Removes trees of files in a thread of its own. What it has not done when the server ends, the next start does. */
export class TreeRemovals {
  readonly #thread = new AskedThread<string, LeftFiles>(
    workerBeside(import.meta.url, "removal-worker"),
    { limits: { maxYoungGenerationSizeMb: 2 }, atOnce: TREES_AT_ONCE },
  );

  /** Removes a file, or a directory with all that is in it, as `removeTree`. Answers what is left; never rejects. */
  async remove(path: string): Promise<LeftFiles> {
    try {
      return await this.#thread.ask(path);
    } catch (error) {
      const reason = `the removal failed: ${(error as Error).message}`;
      return { files: [{ path, reason }], count: 1 };
    }
  }
}
