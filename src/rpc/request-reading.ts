import { bodyLimits, RequestBodies } from "../edge/request-body.ts";
import type { Log } from "../log.ts";
import { largestMessageLimits } from "./message-limits.ts";
import { RequestMessages } from "./request-messages.ts";
import type { RequestLimits } from "./request-rules.ts";

/** What requests are read with, whatever they are answered by: one budget of memory, one thread. */
export interface RequestReading {
  readonly bodies: RequestBodies;
  readonly messages: RequestMessages;
}

/** Prepares to read requests within limits. */
export function createRequestReading(limits: RequestLimits, log: Log): RequestReading {
  const { binaryBytes, jsonBytes } = largestMessageLimits(limits);
  return {
    bodies: new RequestBodies(bodyLimits(binaryBytes, jsonBytes)),
    messages: new RequestMessages(limits, log),
  };
}
