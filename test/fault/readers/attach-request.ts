import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  AttachTurnRequestSchema,
  BreakglassService,
} from "../../../gen/breakglass/v1/breakglass_service_pb.ts";

/** Where AttachTurn is asked for. */
export const ATTACH_PATH = `/${BreakglassService.typeName}/AttachTurn`;

const ENVELOPE_BYTES = 5;

/** The body of an AttachTurn as its bytes: an envelope of no compression, and the message. */
export function attachBody(turnId: string, afterSequence: number, isJson = false): Buffer {
  const request = create(AttachTurnRequestSchema, { turnId, afterSequence });
  const message = isJson
    ? Buffer.from(toJsonString(AttachTurnRequestSchema, request))
    : toBinary(AttachTurnRequestSchema, request);
  const envelope = Buffer.alloc(ENVELOPE_BYTES);
  envelope.writeUInt32BE(message.length, 1);
  return Buffer.concat([envelope, message]);
}
