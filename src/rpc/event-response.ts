import type { Message } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import type { HandlerContext } from "@connectrpc/connect";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { decodeEvent, type EncodedEvent } from "../turns/encoded-event.ts";
import type { StreamPiece } from "../turns/subscription.ts";

/** The number of the field `event`, in `RunTurnResponse` and `AttachTurnResponse` alike. */
const EVENT_FIELD = 1;

/** What both streaming responses hold. */
type EventResponse<N extends string> = Message<N> & { event?: TurnEvent };

/**
 * Makes the responses of one stream.
 *
 * An event is serialized once, when it is recorded. Binary protocols get those bytes as they are, as a field that the
 * message does not know: the same bytes for every reader, every time, at no cost. JSON needs the message itself.
 */
export function eventResponses<N extends string>(
  typeName: N,
  context: HandlerContext,
): (piece: StreamPiece) => Iterable<EventResponse<N>> {
  const isJson = /[+/]json\b/.test(context.requestHeader.get("content-type") ?? "");
  const respond: (encoded: EncodedEvent) => EventResponse<N> = isJson
    ? (encoded: EncodedEvent) => ({ $typeName: typeName, event: decodeEvent(encoded) })
    : (encoded: EncodedEvent) => ({ $typeName: typeName, $unknown: [eventField(encoded)] });
  return (piece) =>
    "transient" in piece
      ? [{ $typeName: typeName, event: piece.transient }]
      : // One at a time: a whole batch of them would outlive its nursery.
        piece.encoded.values().map(respond);
}

/** An encoded event begins with its length, as a field does. */
function eventField(data: EncodedEvent) {
  return { no: EVENT_FIELD, wireType: WireType.LengthDelimited, data };
}
