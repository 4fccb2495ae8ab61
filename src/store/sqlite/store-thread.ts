import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Refusal } from "../../errors.ts";
import { CommitCounts } from "../common/commit-counts.ts";
import type { StoreLoad } from "../store-load.ts";
import { packCalls } from "./call-batch.ts";
import type { Answer, Call, ReadyMessage } from "./messages.ts";
import type { MethodName } from "./methods.ts";
import { unpackEvents } from "./packed-events.ts";

interface Pending {
  resolve(value: unknown): void;
  reject(error: Refusal): void;
}

/** The thread that owns the database, as seen from the one that serves clients. */
export class StoreThread {
  /** What can be asked of it. */
  readonly methods: readonly MethodName[];
  readonly #worker: Worker;
  readonly #counts: CommitCounts;
  readonly #pending = new Map<number, Pending>();
  #calls: Call[] = [];
  #nextId = 1;
  #ended: Refusal | undefined;

  private constructor(
    worker: Worker,
    counts: CommitCounts,
    { methods }: Extract<ReadyMessage, { ready: true }>,
  ) {
    this.methods = methods;
    this.#worker = worker;
    this.#counts = counts;
    worker.on("message", (answers: Answer[]) => this.#settle(answers));
    worker.on("error", (error: Error) => this.#end(`its thread failed: ${error.message}`));
    worker.on("exit", () => this.#end("it is closed"));
  }

  /** @throws Error with a message for the operator where the file cannot be used. */
  static async start(path: string): Promise<StoreThread> {
    const counts = new CommitCounts();
    const worker = new Worker(new URL(workerFile, import.meta.url), {
      workerData: { path, commitCounts: counts.shared },
      // Its garbage is young, and there is little else.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    const [message] = (await once(worker, "message")) as [ReadyMessage];
    if (message.ready) return new StoreThread(worker, counts, message);
    await worker.terminate();
    throw new Error(`cannot open the store ${path}: ${message.message}`);
  }

  get load(): StoreLoad {
    return { waitingCalls: this.#pending.size, ...this.#counts.load };
  }

  /** Asks for a method of the store. */
  call(method: MethodName, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      // What this turn of the event loop still brings goes along.
      if (this.#calls.length === 0) setImmediate(this.#send);
      this.#calls.push({ id, method, args });
    });
  }

  /** Has all that was asked for done, and ends the thread. Idempotent. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const exited = once(this.#worker, "exit");
    await this.call("close", []);
    await exited;
  }

  readonly #send = (): void => {
    const { batch, moved } = packCalls(this.#calls);
    this.#calls = [];
    this.#worker.postMessage(batch, moved);
  };

  #settle(answers: Answer[]): void {
    for (const answer of answers) {
      const pending = this.#pending.get(answer.id);
      this.#pending.delete(answer.id);
      if ("value" in answer) pending?.resolve(answer.value);
      else if ("events" in answer) pending?.resolve(unpackEvents(answer.events));
      else {
        const { reason, message, details } = answer.failure;
        pending?.reject(new Refusal(reason, message, details));
      }
    }
  }

  #end(why: string): void {
    this.#ended ??= new Refusal("STORAGE", `the store failed: ${why}`, { retryAfterMs: 5000 });
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
    this.#pending.clear();
  }
}

/** The worker runs as this file does: as TypeScript in the repository, compiled in the package. */
const workerFile = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
