import { Worker } from "node:worker_threads";
import type { Message } from "@bufbuild/protobuf";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ClientGone } from "../edge/stream-ending.ts";
import { Refusal } from "../errors.ts";
import { decodeMessage, type ReceivedMessage } from "./decode-message.ts";
import type { DecodingAnswer, DecodingJob, MethodName } from "./decoding-job.ts";
import { MessageTooLarge } from "./message-bounds.ts";
import { joined } from "./received-bytes.ts";

/** How long the thread is kept with nothing to do; starting one takes some 50 ms, none of them here. */
const IDLE_MS = 30_000;

/** Who is waiting for a message. */
export interface Reading {
  readonly principal: string;
  /** Where it aborts with `ClientGone` nobody is. */
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly job: DecodingJob;
  resolve(message: Message): void;
  reject(error: unknown): void;
  /** The thread has it now: it is no longer given up. */
  begin(): void;
}

/**
 * Reads messages in a thread of its own, one after the other: however long one takes, nobody else's requests wait for it, and
 * no more than one is in memory twice. The thread is started by the first message, ends when there was none for a while, and
 * keeps no process alive. Where no thread is to be had messages are read in this one: slower for everyone, but none is lost.
 *
 * 1. Principals take turns, however many messages one has sent.
 * 2. What nobody is waiting for any more is not read.
 */
export class DecodingThread {
  /** By principal, whose turn it is first. None is empty. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  #running: Waiting | undefined;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 1;

  /**
   * Reads a message as `decodeMessage` does. The memory of its segments is given away.
   *
   * @throws What `decodeMessage` throws; `ClientGone`; Error where the thread ended under it.
   */
  decode(
    method: MethodName,
    segments: Uint8Array<ArrayBuffer>[],
    received: Omit<ReceivedMessage, "bytes">,
    { principal, signal }: Reading,
  ): Promise<Message> {
    const job: DecodingJob = { id: this.#nextId++, method, segments, ...received };
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        if (!(signal.reason instanceof ClientGone)) return;
        this.#remove(principal, waiting);
        reject(signal.reason);
      };
      const begin = () => signal.removeEventListener("abort", giveUp);
      const waiting: Waiting = { job, resolve, reject, begin };
      const own = this.#waiting.get(principal) ?? new Set();
      this.#waiting.set(principal, own.add(waiting));
      signal.addEventListener("abort", giveUp);
      if (signal.aborted) giveUp();
      this.#next();
    });
  }

  /** Has the thread read the next message, where it reads none. */
  #next(): void {
    while (this.#running === undefined) {
      const waiting = this.#takeNext();
      if (waiting === undefined) return;
      try {
        this.#begin(waiting);
      } catch (error) {
        waiting.reject(error);
      }
    }
  }

  #takeNext(): Waiting | undefined {
    const [principal, own] = this.#waiting.entries().next().value ?? [];
    const [waiting] = own ?? [];
    if (principal === undefined || own === undefined || waiting === undefined) return undefined;
    this.#remove(principal, waiting);
    // Behind the others'.
    if (this.#waiting.delete(principal)) this.#waiting.set(principal, own);
    return waiting;
  }

  #begin(waiting: Waiting): void {
    waiting.begin();
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    const { job } = waiting;
    if (this.#worker === undefined) {
      const { input } = BreakglassService.method[job.method];
      waiting.resolve(decodeMessage(input, { ...job, bytes: joined(job.segments) }));
      return;
    }
    const memory = job.segments.map((segment) => segment.buffer as ArrayBuffer);
    this.#worker.postMessage(job, memory);
    this.#running = waiting;
  }

  #remove(principal: string, waiting: Waiting): void {
    const own = this.#waiting.get(principal);
    own?.delete(waiting);
    if (own?.size === 0) this.#waiting.delete(principal);
  }

  /** Undefined: there is none to be had, as when an agent has forked up to the limit of processes. */
  #start(): Worker | undefined {
    let worker: Worker;
    try {
      worker = new Worker(new URL(workerFile, import.meta.url));
    } catch {
      return undefined;
    }
    worker.unref();
    worker.on("message", (answer: DecodingAnswer) => this.#settle(answer));
    // Out of memory, which no message within its limits makes it.
    worker.on("error", (error) => this.#lose(worker, error));
    worker.on("exit", () => this.#lose(worker, new Error("the decoding thread ended")));
    return worker;
  }

  #settle(answer: DecodingAnswer): void {
    const running = this.#running;
    if (running?.job.id !== answer.id) return;
    this.#running = undefined;
    this.#next();
    if (this.#running === undefined) {
      this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
    }
    if ("message" in answer) running.resolve(answer.message);
    else if ("tooLarge" in answer) running.reject(new MessageTooLarge(running.job.maxBytes));
    else if ("refusal" in answer) {
      const { message, violations } = answer.refusal;
      const details = violations === undefined ? {} : { violations };
      running.reject(new Refusal("INVALID_ARGUMENT", message, details));
    } else running.reject(answer.defect);
  }

  #end(): void {
    const worker = this.#worker;
    // What comes meanwhile starts another.
    this.#worker = undefined;
    void worker?.terminate();
  }

  #lose(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const running = this.#running;
    this.#running = undefined;
    running?.reject(error);
    this.#next();
  }
}

/** The worker runs as this file does: as TypeScript in the repository, compiled in the package. */
const workerFile = import.meta.url.endsWith(".ts")
  ? "./decoding-worker.ts"
  : "./decoding-worker.js";
