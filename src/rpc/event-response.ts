import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { RunTurnResponseSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { BodyWriter } from "../edge/body-writer.ts";
import { decodeEvent } from "../turns/encoded-event.ts";
import type { EventSink } from "../turns/subscription.ts";
import { pushMessage } from "./envelope.ts";
import { wireFormatOf } from "./wire-format.ts";

/** The tag of the field `event`, of type length-delimited, in `RunTurnResponse` and `AttachTurnResponse` alike. */
const EVENT_TAG = 0x0a;

/**
 * Writes the events of one stream into its response, past the framework (`pushMessage`).
 *
 * An event is serialized once, when it is recorded. Binary protocols get those bytes as they are: the same for every
 * reader, every time, at no cost. JSON needs the message itself.
 */
export function responseSink(writer: BodyWriter, context: HandlerContext): EventSink {
  const isJson = wireFormatOf(context.requestHeader.get("content-type"))?.isJson === true;
  const serialize = isJson ? toJsonResponse : toBinaryResponse;
  const writeTransient = (event: TurnEvent) => pushMessage(writer, serialize(event));
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
      : (encoded) => pushMessage(writer, encoded, EVENT_TAG),
  };
}

function toJsonResponse(event: TurnEvent): Uint8Array {
  const json = toJsonString(RunTurnResponseSchema, create(RunTurnResponseSchema, { event }));
  return Buffer.from(json);
}

function toBinaryResponse(event: TurnEvent): Uint8Array {
  return toBinary(RunTurnResponseSchema, create(RunTurnResponseSchema, { event }));
}
