import { Worker } from "node:worker_threads";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Refusal } from "../errors.ts";
import { decodeMessage, type ReceivedMessage } from "./decode-message.ts";
import type { DecodingAnswer, DecodingJob } from "./decoding-job.ts";
import { MessageTooLarge } from "./message-bounds.ts";
import { joined } from "./received-bytes.ts";

/** How long the thread is kept with nothing to do; starting one takes some 50 ms, none of them here. */
const IDLE_MS = 30_000;

interface Pending {
  readonly maxBytes: number;
  resolve(message: Message): void;
  reject(error: unknown): void;
}

/**
 * Reads messages in a thread of its own, one after the other: however long one takes, nobody else's requests wait for it, and
 * no more than one is in memory twice. The thread is started by the first message, ends when there was none for a while, and
 * keeps no process alive. Where no thread is to be had messages are read in this one: slower for everyone, but none is lost.
 */
export class DecodingThread {
  readonly #program: URL;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 1;

  /** @param program - What the thread runs: `serveDecoding` for the service whose messages it reads. */
  constructor(program: URL) {
    this.#program = program;
  }

  /**
   * Reads the message of a method of the thread's service as `decodeMessage` does. The memory of its segments is given away.
   *
   * @throws What `decodeMessage` throws; Error where the thread ended under it.
   */
  async decode(
    method: DescMethod,
    segments: Uint8Array<ArrayBuffer>[],
    received: Omit<ReceivedMessage, "bytes">,
  ): Promise<Message> {
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    if (this.#worker === undefined) {
      return decodeMessage(method.input, { ...received, bytes: joined(segments) });
    }
    const id = this.#nextId++;
    const job: DecodingJob = { id, method: method.localName, segments, ...received };
    this.#worker.postMessage(
      job,
      segments.map((segment) => segment.buffer),
    );
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { maxBytes: received.maxBytes, resolve, reject });
    });
  }

  /** Undefined: there is none to be had, as when an agent has forked up to the limit of processes. */
  #start(): Worker | undefined {
    let worker: Worker;
    try {
      worker = new Worker(this.#program);
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
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) {
      this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
    }
    if (pending === undefined) return;
    if ("message" in answer) pending.resolve(answer.message);
    else if ("tooLarge" in answer) pending.reject(new MessageTooLarge(pending.maxBytes));
    else if ("refusal" in answer) {
      const { message, violations } = answer.refusal;
      const details = violations === undefined ? {} : { violations };
      pending.reject(new Refusal("INVALID_ARGUMENT", message, details));
    } else pending.reject(answer.defect);
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
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
