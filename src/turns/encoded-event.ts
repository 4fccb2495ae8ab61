import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent/agent.ts";

/** A `TurnEvent`, serialized once when it is recorded: the log, the cache and the wire hold these same bytes. */
export type EncodedEvent = Uint8Array;

/** Gives events their place in a turn and serializes them. */
export function encodeEvents(
  ids: { readonly turnId: string; readonly sessionId: string },
  firstSequence: number,
  time: number,
  kinds: readonly EventKind[],
): EncodedEvent[] {
  const createTime: Timestamp = timestampFromMs(time);
  return kinds.map((kind, index) =>
    toBinary(TurnEventSchema, {
      $typeName: "breakglass.v1.TurnEvent",
      sequence: firstSequence + index,
      turnId: ids.turnId,
      sessionId: ids.sessionId,
      createTime,
      kind,
    }),
  );
}

/** Reads a serialized event. */
export function decodeEvent(event: EncodedEvent): TurnEvent {
  return fromBinary(TurnEventSchema, event);
}

/** An event that is not durable. */
export function createTransientEvent(
  ids: { readonly turnId: string; readonly sessionId: string },
  kind: Extract<TurnEvent["kind"], { case: "checkpoint" | "textDelta" }>,
): TurnEvent {
  const { turnId, sessionId } = ids;
  return create(TurnEventSchema, {
    turnId,
    sessionId,
    createTime: timestampFromMs(Date.now()),
    kind,
  });
}
