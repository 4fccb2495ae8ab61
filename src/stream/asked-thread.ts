import {
  type MessagePort,
  type ResourceLimits,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";

/** How long a thread is kept with nothing to do; starting one takes some 50 ms, few of them here. */
const IDLE_MS = 30_000;

/** There is no thread to be had, as when an agent has forked up to the limit of processes. */
export class NoThreadError extends Error {}

export interface AskedThreadOptions {
  readonly limits?: ResourceLimits;
  /** How many calls the thread has at a time; the others wait here. */
  readonly atOnce?: number;
  /** It does not end for want of calls. */
  readonly isKept?: boolean;
  /** The process lives as long as a call waits. */
  readonly isWaitedFor?: boolean;
}

interface Asked<Call, Answer> extends PromiseWithResolvers<Answer> {
  readonly call: Call;
  readonly moved: ArrayBuffer[];
  readonly isLast: boolean;
}

type SentCall<Call> = readonly [id: number, call: Call];
type SentAnswer<Answer> = readonly [id: number, answer: Answer];

/**
 * A thread that is asked. It is started by the first call; unless its options say otherwise it has one call after the other,
 * ends when there was none for a while, and keeps no process alive.
 *
 * 1. Calls are sent in their order.
 * 2. Where the thread ends it is the calls that it has that fail; those behind them are asked of another thread.
 * 3. A call that cannot be sent fails alone.
 */
export class AskedThread<Call, Answer> {
  readonly #worker: URL;
  readonly #options: AskedThreadOptions;
  readonly #atOnce: number;
  #waiting: Asked<Call, Answer>[] = [];
  /** What the thread has. */
  readonly #asked = new Map<number, Asked<Call, Answer>>();
  #nextId = 1;
  #thread: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** @param worker - A module that calls `takeCalls` or `answerCalls`. */
  constructor(worker: URL, options: AskedThreadOptions = {}) {
    this.#worker = worker;
    this.#options = options;
    this.#atOnce = options.atOnce ?? 1;
  }

  /**
   * Starts the thread ahead of the first call, which then need not wait for it.
   *
   * @throws NoThreadError.
   */
  prepare(): void {
    try {
      this.#thread ??= this.#start();
    } catch (error) {
      throw new NoThreadError((error as Error).message);
    }
  }

  /**
   * Asks.
   *
   * @param moved - Memory of the call's, which is given away once the thread is there.
   * @param isLast - The thread ends with it, and with what else it has: what it leaves behind there is more than is to be
   * kept.
   * @throws NoThreadError where the call was not asked and is untouched; Error where the thread ended under it.
   */
  ask(call: Call, moved: ArrayBuffer[] = [], isLast = false): Promise<Answer> {
    const asked = { call, moved, isLast, ...Promise.withResolvers<Answer>() };
    this.#waiting.push(asked);
    this.#sendNext();
    return asked.promise;
  }

  /** Ends the thread, with what it has. What is asked then starts another. */
  end(): void {
    clearTimeout(this.#idle);
    this.#end();
  }

  #sendNext(): void {
    clearTimeout(this.#idle);
    while (this.#asked.size < this.#atOnce && this.#waiting.length > 0) {
      this.#send(this.#waiting.shift()!); // 1.
    }
    if (this.#asked.size > 0) return;
    this.#thread?.unref();
    if (this.#options.isKept) return;
    this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
  }

  #send(asked: Asked<Call, Answer>): void {
    const id = this.#nextId++;
    try {
      this.prepare();
      this.#thread?.postMessage([id, asked.call] satisfies SentCall<Call>, asked.moved);
    } catch (error) {
      asked.reject(error); // 3.
      return;
    }
    this.#asked.set(id, asked);
    if (this.#options.isWaitedFor) this.#thread?.ref();
  }

  #start(): Worker {
    const thread = new Worker(this.#worker, { resourceLimits: this.#options.limits ?? {} });
    thread.on("message", (answer: SentAnswer<Answer>) => this.#settle(answer));
    thread.on("error", (error) => this.#lose(thread, error as Error));
    thread.on("exit", () => this.#lose(thread, new Error("the thread ended")));
    // A listener for messages takes that back.
    thread.unref();
    return thread;
  }

  #settle([id, answer]: SentAnswer<Answer>): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.resolve(answer);
    if (asked?.isLast) this.#end();
    this.#sendNext();
  }

  #end(): void {
    const thread = this.#thread;
    // What comes meanwhile starts another.
    this.#forget(new Error("the thread ended"));
    void thread?.terminate();
  }

  #lose(thread: Worker, error: Error): void {
    if (this.#thread !== thread) return;
    this.#forget(error);
    this.#sendNext();
  }

  /** 2. */
  #forget(why: Error): void {
    this.#thread = undefined;
    for (const { reject } of this.#asked.values()) reject(why);
    this.#asked.clear();
  }
}

/** A module of a thread's, beside the one that starts it: as TypeScript in the repository, compiled in the package. */
export function workerBeside(url: string, name: string): URL {
  return new URL(`./${name}.${url.endsWith(".ts") ? "ts" : "js"}`, url);
}

/** A call as the thread has it. */
export interface OpenCall<Call, Answer> {
  readonly call: Call;
  /**
   * Answers it, once.
   *
   * @param moved - Memory of the answer's, which is given away.
   */
  answer(answer: Answer, moved?: ArrayBuffer[]): void;
}

/** Takes the calls of an `AskedThread`, in its thread: at a time all that have come by then. What `take` throws ends the thread. */
export function takeCalls<Call, Answer>(
  port: MessagePort,
  take: (calls: OpenCall<Call, Answer>[]) => void,
): void {
  const opened = ([id, call]: SentCall<Call>): OpenCall<Call, Answer> => ({
    call,
    answer: (answer, moved = []) =>
      port.postMessage([id, answer] satisfies SentAnswer<Answer>, moved),
  });
  port.on("message", (first: SentCall<Call>) => {
    const calls = [opened(first)];
    for (;;) {
      const next = receiveMessageOnPort(port);
      if (next === undefined) return take(calls);
      calls.push(opened(next.message));
    }
  });
}

/** As `takeCalls`, one after the other. */
export function answerCalls<Call, Answer>(
  port: MessagePort,
  answer: (call: Call) => { readonly answer: Answer; readonly moved: ArrayBuffer[] },
): void {
  takeCalls<Call, Answer>(port, (calls) => {
    for (const open of calls) {
      const { answer: given, moved } = answer(open.call);
      open.answer(given, moved);
    }
  });
}
