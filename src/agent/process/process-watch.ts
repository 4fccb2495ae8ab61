import { Worker } from "node:worker_threads";
import type { Log } from "../../log.ts";
import {
  type KnownProcess,
  type Look,
  type LookAnswer,
  type LookCall,
  ProcessLooks,
} from "./process-looks.ts";

/** How long looks are taken without the thread where it failed, before another one is tried. */
const THREAD_AGAIN_MS = 10_000;

interface Asked {
  readonly look: Look;
  answer(members: readonly KnownProcess[] | undefined): void;
}

/**
 * Answers looks at the process table from a thread of its own, which does not keep the process alive. Should the thread
 * fail, looks are taken in this one for a while: slower, but none is lost.
 */
export class ProcessWatch {
  readonly #log: Log;
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #here: ProcessLooks | undefined;
  #hereUntil = 0;
  #nextId = 1;
  #isBlind = false;

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

  /**
   * The members of a family that live; each was sent the look's signal. Undefined: nobody could be looked for, for want of
   * file descriptors, and nobody was signaled. Never rejects.
   */
  look(look: Look): Promise<readonly KnownProcess[] | undefined> {
    return new Promise((answer) => {
      const id = this.#nextId++;
      this.#asked.set(id, { look, answer });
      if (performance.now() < this.#hereUntil) return this.#lookHere();
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
    worker.on("error", (error) => {
      if (this.#worker === worker) this.#fail(error);
    });
    this.#worker = worker;
    return worker;
  }

  #settle(answers: readonly LookAnswer[]): void {
    this.#tellBlindness(answers[0]?.failure);
    for (const { id, members } of answers) {
      this.#asked.get(id)?.answer(members);
      this.#asked.delete(id);
    }
    if (this.#asked.size === 0) this.#worker?.unref();
  }

  /** Once, not with each of the looks that follow. */
  #tellBlindness(failure: string | undefined): void {
    const isBlind = failure !== undefined;
    if (isBlind === this.#isBlind) return;
    this.#isBlind = isBlind;
    if (!isBlind) this.#log.info("processes can be looked for again");
    else
      this.#log.error("processes cannot be looked for: no stop is over until they can", {
        failure,
      });
  }

  #fail(error: unknown): void {
    this.#log.error("the thread that watches processes failed", { error });
    this.#worker = undefined;
    this.#hereUntil = performance.now() + THREAD_AGAIN_MS;
    this.#lookHere();
  }

  #lookHere(): void {
    if (this.#asked.size === 0) return;
    this.#here ??= new ProcessLooks();
    this.#settle(this.#here.take([...this.#asked].map(([id, { look }]) => ({ id, look }))));
  }
}

/** The worker runs as this file does: as TypeScript in the repository, compiled in the package. */
const workerFile = import.meta.url.endsWith(".ts") ? "./look-worker.ts" : "./look-worker.js";
