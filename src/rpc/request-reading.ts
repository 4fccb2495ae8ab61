import { bodyLimits, RequestBodies } from "../edge/request-body.ts";
import type { Log } from "../log.ts";
import { workerBeside } from "../stream/asked-thread.ts";
import { DecodingThread } from "./decoding-thread.ts";
import { largestMessageLimits, messageLimitsOf } from "./message-limits.ts";
import { RequestMessages } from "./request-messages.ts";
import type { RequestLimits } from "./request-rules.ts";

/** What requests are read with, whatever they are answered by: one budget of memory, one thread. */
export interface RequestReading {
  readonly bodies: RequestBodies;
  readonly messages: RequestMessages;
  /** What all messages of a call may have together that the framework reads one by one, in bytes. */
  readonly dialogueBytes: number;
}

/** Questions of some words each. */
const DIALOGUE_BYTES = 256 * 1024;

/** Prepares to read requests within limits. */
export function createRequestReading(limits: RequestLimits, log: Log): RequestReading {
  const { binaryBytes, jsonBytes } = largestMessageLimits(limits);
  const thread = new DecodingThread(workerBeside(import.meta.url, "decoding-worker"));
  return {
    bodies: new RequestBodies(bodyLimits(binaryBytes, jsonBytes)),
    messages: new RequestMessages((method) => messageLimitsOf(method, limits), thread, log),
    dialogueBytes: DIALOGUE_BYTES,
  };
}
