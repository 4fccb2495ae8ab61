import type { DescMethod } from "@bufbuild/protobuf";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { INPUT_BYTES, type RequestLimits, STEER_BYTES } from "./request-rules.ts";

/** What the message of one method may cost. */
export interface MessageLimits {
  /** Its size in Protobuf's binary format. */
  readonly binaryBytes: number;
  /** Its size in JSON. */
  readonly jsonBytes: number;
  /** What its strings may have together, in bytes of UTF-8: they are what reading one costs. */
  readonly textBytes: number;
}

/** What is left for ids, names, page tokens and fields of clients that are newer. */
const SMALL_BYTES = 16 * 1024;
const MIB = 1024 * 1024;

/** The limits of a method's message: what its fields need, and no more. */
export function messageLimitsOf(
  method: DescMethod,
  { maxPromptBytes, maxAttachmentBytes }: RequestLimits,
): MessageLimits {
  switch (method) {
    case BreakglassService.method.runTurn:
      return limits(maxPromptBytes, maxAttachmentBytes, MIB);
    case BreakglassService.method.steerTurn:
      return limits(STEER_BYTES);
    case BreakglassService.method.resolveApproval:
      return limits(INPUT_BYTES);
    default:
      return limits(0);
  }
}

/** The limits of the method that takes the largest messages. */
export function largestMessageLimits(requests: RequestLimits): MessageLimits {
  return messageLimitsOf(BreakglassService.method.runTurn, requests);
}

/** @param rest - What the message may have beside its long text and its bytes. */
function limits(text: number, bytes = 0, rest = SMALL_BYTES): MessageLimits {
  return {
    binaryBytes: text + bytes + rest,
    // JSON may have every character of a text as `\u0041`, and has bytes as base64.
    jsonBytes: 6 * text + Math.ceil((bytes * 4) / 3) + rest,
    // So much more that it is the rule of a field that is a little too long which is told.
    textBytes: text + SMALL_BYTES,
  };
}
