import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { ConfigError } from "../config/config-error.ts";
import type { ServerNews, ServerOrder, ServerThreadData } from "./server-messages.ts";

/** Who hears of a server. */
export interface ServerListener {
  /** A line of its log. */
  log(line: string): void;
  /** Somebody asked it for a stream. */
  streamBegan(): void;
  /** It ended by a defect of its own. */
  failed(error: Error): void;
}

/** A server in a thread of its own, which can be killed as a process can. */
export class ServerThread {
  readonly url: string;
  readonly #worker: Worker;
  readonly #pending = new Map<number, (count: number) => void>();
  readonly #exited: Promise<unknown>;
  #nextId = 1;

  private constructor(worker: Worker, url: string) {
    this.#worker = worker;
    this.url = url;
    this.#exited = once(worker, "exit");
    worker.on("message", (news: ServerNews) => {
      if (news.told !== "done") return;
      this.#pending.get(news.id)?.(news.count);
      this.#pending.delete(news.id);
    });
    // Whoever asked is answered, though nothing was done: nothing is left to do it to.
    worker.once("exit", () => {
      for (const answer of this.#pending.values()) answer(0);
      this.#pending.clear();
    });
  }

  /** @throws ConfigError where it cannot serve so. */
  static async start(data: ServerThreadData, listener: ServerListener): Promise<ServerThread> {
    const worker = new Worker(new URL(workerFile, import.meta.url), {
      workerData: data,
      // A program that starts a fake may have others, such as `--input-type`, which a thread does not take.
      execArgv: process.execArgv.filter((argument) => argument.startsWith("--conditions=")),
    });
    const ready = Promise.withResolvers<string>();
    worker.on("error", (error: Error) => {
      ready.reject(error);
      listener.failed(error);
    });
    worker.on("exit", () => ready.reject(new Error("the server's thread ended")));
    worker.on("message", (news: ServerNews) => {
      if (news.told === "log") listener.log(news.line);
      else if (news.told === "stream") listener.streamBegan();
      else if (news.told === "ready") ready.resolve(news.url);
      else if (news.told === "failed") {
        const [first = "the server did not start", ...more] = news.problems;
        ready.reject(new ConfigError(first, ...more));
      }
    });
    try {
      return new ServerThread(worker, await ready.promise);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  /** Has something done; answers when it is, with how often. */
  ask(order: ServerOrder): Promise<number> {
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#pending.set(id, resolve);
      this.#worker.postMessage({ id, order });
    });
  }

  /** Ends it in order, and its thread. */
  async drain(graceMs?: number): Promise<void> {
    await this.ask({ do: "drain", graceMs });
    await this.kill();
  }

  /** Ends it now, as a signal that cannot be caught does: its agents live on until the next one finds them. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
    await this.#exited;
  }
}

const workerFile = import.meta.url.endsWith(".ts")
  ? "./fake-server-worker.ts"
  : "./fake-server-worker.js";
