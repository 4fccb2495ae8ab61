import type { MessagePort } from "node:worker_threads";
import type { DescService, Registry } from "@bufbuild/protobuf";
import { Refusal } from "../errors.ts";
import { answerCalls } from "../stream/asked-thread.ts";
import { decodeMessage } from "./decode-message.ts";
import type { DecodingAnswer, DecodingJob } from "./decoding-job.ts";
import { MessageTooLarge } from "./message-bounds.ts";
import { partsOf } from "./message-parts.ts";
import { joined } from "./received-bytes.ts";

/**
 * Reads the messages of a service that come by a port: one at a time, as they come.
 *
 * @param anyTypes - What an `Any` in JSON may hold. Undefined: nothing.
 */
export function serveDecoding(service: DescService, port: MessagePort, anyTypes?: Registry): void {
  answerCalls<DecodingJob, DecodingAnswer>(port, (job) => {
    const desc = service.method[job.method]!.input;
    const memory = new Set<ArrayBuffer>();
    try {
      const message = decodeMessage(desc, { ...job, bytes: joined(job.segments) }, anyTypes);
      for (const { value } of partsOf(desc, message)) {
        // Given away and not copied; what is empty may be shared.
        if (typeof value !== "string" && value.length > 0) memory.add(value.buffer as ArrayBuffer);
      }
      return { answer: { message }, moved: [...memory] };
    } catch (error) {
      return { answer: failure(error), moved: [] };
    }
  });
}

function failure(error: unknown): DecodingAnswer {
  if (error instanceof MessageTooLarge) return { tooLarge: true };
  if (!(error instanceof Refusal)) return { defect: error };
  return { refusal: { message: error.message, violations: error.details.violations } };
}
