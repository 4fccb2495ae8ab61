import type { Message } from "@bufbuild/protobuf";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { Refusal } from "../errors.ts";
import { AskedThread, NoThreadError, workerBeside } from "../stream/asked-thread.ts";
import { decodeMessage, type ReceivedMessage } from "./decode-message.ts";
import type { DecodingAnswer, DecodingJob, MethodName } from "./decoding-job.ts";
import { MessageTooLarge } from "./message-bounds.ts";
import { joined } from "./received-bytes.ts";

/**
 * Reads messages in a thread of its own, one after the other: however long one takes, nobody else's requests wait for it, and
 * no more than one is in memory twice. Where no thread is to be had messages are read in this one: slower for everyone, but
 * none is lost.
 */
export class DecodingThread {
  readonly #thread = new AskedThread<DecodingJob, DecodingAnswer>(
    workerBeside(import.meta.url, "decoding-worker"),
  );

  /**
   * Reads a message as `decodeMessage` does. The memory of its segments is given away.
   *
   * @throws What `decodeMessage` throws; Error where the thread ended under it.
   */
  async decode(
    method: MethodName,
    segments: Uint8Array<ArrayBuffer>[],
    received: Omit<ReceivedMessage, "bytes">,
  ): Promise<Message> {
    const memory = segments.map((segment) => segment.buffer);
    try {
      const answer = await this.#thread.ask({ method, segments, ...received }, memory);
      return messageOf(answer, received.maxBytes);
    } catch (error) {
      if (!(error instanceof NoThreadError)) throw error;
      const { input } = BreakglassService.method[method];
      return decodeMessage(input, { ...received, bytes: joined(segments) });
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
