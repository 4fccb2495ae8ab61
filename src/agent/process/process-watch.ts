import { Worker } from "node:worker_threads";
import type { Log } from "../../log.ts";
import type { LookAnswer, LookCall } from "./look-worker.ts";
import { type KnownProcess, type Look, ProcessLooks } from "./process-looks.ts";

interface Asked {
  readonly look: Look;
  answer(members: readonly KnownProcess[]): void;
}

/**
 * Answers looks at the process table from a thread of its own, which does not keep the process alive. Should the thread fail, looks are taken in this one: slower, but none is lost.
 */
export class ProcessWatch {
  readonly #log: Log;
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #here: ProcessLooks | undefined;
  #nextId = 1;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Starts the thread ahead of the first look, which then need not wait for it. */
  prepare(): void {
    try {
      this.#start().unref();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The members of a family that live; each was sent the look's signal. Never rejects. */
  look(look: Look): Promise<readonly KnownProcess[]> {
    return new Promise((answer) => {
      if (this.#here !== undefined) return answer(this.#here.answer([look])[0]!);
      const id = this.#nextId++;
      this.#asked.set(id, { look, answer });
      try {
        const worker = this.#start();
        worker.ref();
        worker.postMessage({ id, look } satisfies LookCall);
      } catch (error) {
        // No thread is to be had, as when an agent has forked up to the limit of processes.
        this.#fail(error);
      }
    });
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL(workerFile, import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    worker.on("message", (answers: LookAnswer[]) => this.#settle(answers));
    worker.on("error", (error) => this.#fail(error));
    this.#worker = worker;
    return worker;
  }

  #settle(answers: readonly LookAnswer[]): void {
    for (const { id, members } of answers) {
      this.#asked.get(id)?.answer(members);
      this.#asked.delete(id);
    }
    if (this.#asked.size === 0) this.#worker?.unref();
  }

  #fail(error: unknown): void {
    this.#log.error("the thread that watches processes failed", { error });
    const here = new ProcessLooks();
    this.#here = here;
    for (const { look, answer } of this.#asked.values()) answer(here.answer([look])[0]!);
    this.#asked.clear();
  }
}

/** The worker runs as this file does: as TypeScript in the repository, compiled in the package. */
const workerFile = import.meta.url.endsWith(".ts") ? "./look-worker.ts" : "./look-worker.js";
