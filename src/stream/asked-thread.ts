import { type MessagePort, type ResourceLimits, Worker } from "node:worker_threads";

/** How long a thread is kept with nothing to do; starting one takes some 50 ms, few of them here. */
const IDLE_MS = 30_000;

/** There is no thread to be had, as when an agent has forked up to the limit of processes. */
export class NoThreadError extends Error {}

interface Asked<Call, Answer> {
  readonly call: Call;
  readonly moved: ArrayBuffer[];
  readonly isLast: boolean;
  readonly answered: PromiseWithResolvers<Answer>;
}

/**
 * A thread that is asked, one call after the other. It is started by the first, ends when there was none for a while, and
 * keeps no process alive.
 *
 * 1. Calls are answered in their order.
 * 2. Where the thread ends under a call it is that one that fails; those behind it are asked of another thread.
 */
export class AskedThread<Call, Answer> {
  readonly #worker: URL;
  readonly #limits: ResourceLimits;
  #waiting: Asked<Call, Answer>[] = [];
  #current: Asked<Call, Answer> | undefined;
  #thread: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** @param worker - A module that calls `answerCalls`. */
  constructor(worker: URL, limits: ResourceLimits = {}) {
    this.#worker = worker;
    this.#limits = limits;
  }

  /**
   * Asks.
   *
   * @param moved - Memory of the call's, which is given away once the thread is there.
   * @param isLast - The thread ends with it: what it leaves behind there is more than is to be kept.
   * @throws NoThreadError where the call was not asked and is untouched; Error where the thread ended under it.
   */
  ask(call: Call, moved: ArrayBuffer[] = [], isLast = false): Promise<Answer> {
    const answered = Promise.withResolvers<Answer>();
    this.#waiting.push({ call, moved, isLast, answered });
    this.#next();
    return answered.promise;
  }

  #next(): void {
    if (this.#current !== undefined) return;
    clearTimeout(this.#idle);
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
      return;
    }
    try {
      this.#thread ??= this.#start();
    } catch (error) {
      next.answered.reject(new NoThreadError((error as Error).message));
      this.#next();
      return;
    }
    this.#current = next;
    this.#thread.postMessage(next.call, next.moved);
  }

  #start(): Worker {
    const thread = new Worker(this.#worker, { resourceLimits: this.#limits });
    thread.on("message", (answer: Answer) => this.#settle(({ resolve }) => resolve(answer)));
    thread.on("error", (error) => this.#lose(thread, error as Error));
    thread.on("exit", () => this.#lose(thread, new Error("the thread ended")));
    // A listener for messages takes that back.
    thread.unref();
    return thread;
  }

  #settle(settle: (asked: PromiseWithResolvers<Answer>) => void): void {
    const current = this.#current;
    this.#current = undefined;
    if (current?.isLast) this.#end();
    if (current !== undefined) settle(current.answered);
    this.#next();
  }

  #end(): void {
    const thread = this.#thread;
    // What comes meanwhile starts another.
    this.#thread = undefined;
    void thread?.terminate();
  }

  /** 2. */
  #lose(thread: Worker, error: Error): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    this.#settle(({ reject }) => reject(error));
  }
}

/** Answers the calls of an `AskedThread`, in its thread. What `answer` throws ends the thread. */
export function answerCalls<Call, Answer>(
  port: MessagePort,
  answer: (call: Call) => { readonly answer: Answer; readonly moved: ArrayBuffer[] },
): void {
  port.on("message", (call: Call) => {
    const { answer: given, moved } = answer(call);
    port.postMessage(given, moved);
  });
}
