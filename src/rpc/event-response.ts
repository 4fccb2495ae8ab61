import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { RunTurnResponseSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { BodyWriter } from "../edge/body-writer.ts";
import { decodeEvent, type EncodedEvent } from "../turns/encoded-event.ts";
import type { EventSink } from "../turns/subscription.ts";
import { wireFormatOf } from "./wire-format.ts";

/** The tag of the field `event`, of type length-delimited, in `RunTurnResponse` and `AttachTurnResponse` alike. */
const EVENT_TAG = 0x0a;
/** What all three protocols put in front of a message: a byte of flags, here 0 for not compressed, and the length. */
const ENVELOPE_BYTES = 5;
/** What is as large is not copied into its envelope: all readers' writers hold the same bytes. */
const LARGE_BYTES = 16 * 1024;

/**
 * Writes the events of one stream into its response, past the framework's pipeline of generators: the envelope of a
 * message is the same in gRPC, gRPC-Web and Connect.
 *
 * An event is serialized once, when it is recorded. Binary protocols get those bytes as they are: the same for every
 * reader, every time, at no cost. JSON needs the message itself.
 */
export function responseSink(writer: BodyWriter, context: HandlerContext): EventSink {
  const isJson = wireFormatOf(context.requestHeader.get("content-type"))?.isJson === true;
  const serialize = isJson ? toJsonResponse : toBinaryResponse;
  const writeTransient = (event: TurnEvent) => writer.push(envelope(serialize(event)));
  return {
    get isFull() {
      return writer.isFull;
    },
    onRoom(listener) {
      writer.onRoom = listener;
    },
    writeTransient,
    write: isJson
      ? (encoded) => writeTransient(decodeEvent(encoded))
      : (encoded) => pushEvent(writer, encoded),
  };
}

function pushEvent(writer: BodyWriter, encoded: EncodedEvent): void {
  if (encoded.length < LARGE_BYTES) writer.push(envelope(encoded, EVENT_TAG));
  else {
    writer.push(openEnvelope(encoded.length, EVENT_TAG));
    writer.push(encoded);
  }
}

function toJsonResponse(event: TurnEvent): Uint8Array {
  const json = toJsonString(RunTurnResponseSchema, create(RunTurnResponseSchema, { event }));
  return Buffer.from(json);
}

function toBinaryResponse(event: TurnEvent): Uint8Array {
  return toBinary(RunTurnResponseSchema, create(RunTurnResponseSchema, { event }));
}

/** @param tag - Put in front of what begins with its length, as a field does. */
function envelope(message: Uint8Array, tag?: number): Uint8Array {
  const bytes = openEnvelope(message.length, tag, message.length);
  bytes.set(message, bytes.length - message.length);
  return bytes;
}

/** What stands in front of a message of so many bytes, with room behind it. */
function openEnvelope(length: number, tag: number | undefined, room = 0): Uint8Array {
  const tagBytes = tag === undefined ? 0 : 1;
  const bytes = Buffer.allocUnsafe(ENVELOPE_BYTES + tagBytes + room);
  bytes[0] = 0;
  bytes.writeUInt32BE(tagBytes + length, 1);
  if (tag !== undefined) bytes[ENVELOPE_BYTES] = tag;
  return bytes;
}
