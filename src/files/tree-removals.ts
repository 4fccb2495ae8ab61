import { Worker } from "node:worker_threads";
import type { RemovalAnswer, RemovalCall } from "./removal-worker.ts";
import type { LeftFiles } from "./remove-tree.ts";

/** A thread with nothing to remove ends after so long. */
const IDLE_MS = 10_000;

/** Removes trees of files in a thread of its own, which lives as long as there is something to remove. */
export class TreeRemovals {
  readonly #pending = new Map<number, (left: LeftFiles) => void>();
  #worker: Worker | undefined;
  #nextId = 1;
  #idle: NodeJS.Timeout | undefined;

  /** Removes a file, or a directory with all that is in it, as `removeTree`. Answers what is left; never rejects. */
  remove(path: string): Promise<LeftFiles> {
    clearTimeout(this.#idle);
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#pending.set(id, resolve);
      try {
        this.#worker ??= this.#start();
        this.#worker.postMessage({ id, path } satisfies RemovalCall);
      } catch (error) {
        // No thread is to be had, as when an agent has forked up to the limit of processes.
        this.#settle(id, leftFor((error as Error).message, path));
      }
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL(workerFile, import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    // What it has not done when the server ends, the next start does.
    worker.unref();
    worker.on("message", ({ id, left }: RemovalAnswer) => this.#settle(id, left));
    worker.on("error", (error: Error) => this.#lose(worker, error.message));
    worker.on("exit", () => this.#lose(worker, "its thread ended"));
    return worker;
  }

  #settle(id: number, left: LeftFiles): void {
    this.#pending.get(id)?.(left);
    this.#pending.delete(id);
    if (this.#pending.size > 0) return;
    this.#idle = setTimeout(() => {
      void this.#worker?.terminate();
      this.#worker = undefined;
    }, IDLE_MS);
    this.#idle.unref();
  }

  #lose(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const resolve of this.#pending.values()) resolve(leftFor(why));
    this.#pending.clear();
  }
}

function leftFor(why: string, path = ""): LeftFiles {
  return { files: [{ path, reason: `the removal failed: ${why}` }], count: 1 };
}

/** The worker runs as this file does: as TypeScript in the repository, compiled in the package. */
const workerFile = import.meta.url.endsWith(".ts") ? "./removal-worker.ts" : "./removal-worker.js";
