import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Refusal } from "../errors.ts";
import { AskedThread, NoThreadError } from "../stream/asked-thread.ts";
import { decodeMessage, type ReceivedMessage } from "./decode-message.ts";
import type { DecodingAnswer, DecodingJob } from "./decoding-job.ts";
import { MessageTooLarge } from "./message-bounds.ts";
import { joined } from "./received-bytes.ts";

/**
 * Reads messages in a thread of its own, one after the other: however long one takes, nobody else's requests wait for it, and
 * no more than one is in memory twice. Where no thread is to be had messages are read in this one: slower for everyone, but
 * none is lost.
 */
export class DecodingThread {
  readonly #thread: AskedThread<DecodingJob, DecodingAnswer>;

  /** @param program - What the thread runs: `serveDecoding` for the service whose messages it reads. */
  constructor(program: URL) {
    this.#thread = new AskedThread(program);
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
    const memory = segments.map((segment) => segment.buffer);
    try {
      const job = { method: method.localName, segments, ...received };
      const answer = await this.#thread.ask(job, memory);
      return messageOf(answer, received.maxBytes);
    } catch (error) {
      if (!(error instanceof NoThreadError)) throw error;
      return decodeMessage(method.input, { ...received, bytes: joined(segments) });
    }
  }
}

/** @throws What `decodeMessage` threw there. */
function messageOf(answer: DecodingAnswer, maxBytes: number): Message {
  if ("message" in answer) return answer.message;
  if ("tooLarge" in answer) throw new MessageTooLarge(maxBytes);
  if ("defect" in answer) throw answer.defect;
  const { message, violations } = answer.refusal;
  throw new Refusal("INVALID_ARGUMENT", message, violations === undefined ? {} : { violations });
}
