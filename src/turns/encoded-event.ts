import { create, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { BinaryWriter, sizeDelimitedPeek, WireType } from "@bufbuild/protobuf/wire";
import { TimestampSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import { dataLost } from "../errors.ts";
import { writeMessage } from "./message-writer.ts";

/**
 * A `TurnEvent` behind its length (protobuf's delimited format), serialized once when it is recorded: the log, the cache
 * and the wire hold these same bytes.
 */
export type EncodedEvent = Uint8Array;

/** Which turn events belong to. */
export interface TurnIds {
  readonly turnId: string;
  readonly sessionId: string;
}

/** Keeps its memory from one batch to the next. */
const writer = new BinaryWriter();
const fields = TurnEventSchema.field;
const kindFields = new Map(
  TurnEventSchema.oneofs[0]!.fields.map((field) => [field.localName, field]),
);

/**
 * Gives events their place in a turn and serializes them, all in one go: a writer and its memory for each event cost more
 * than the writing (measured: a fifth of the server's time under load).
 */
export function encodeEvents(
  ids: TurnIds,
  firstSequence: number,
  time: number,
  kinds: readonly EventKind[],
): EncodedEvent[] {
  const createTime = timestampFromMs(time);
  try {
    for (const [index, kind] of kinds.entries()) {
      writeEvent(ids, firstSequence + index, createTime, kind);
    }
  } catch (error) {
    writer.finish(); // Nothing half written may get into the next batch.
    throw error;
  }
  return cutBatch(writer.finish());
}

/** To the bytes that `toBinary` makes of the whole `TurnEvent`, behind their length. */
function writeEvent(
  { turnId, sessionId }: TurnIds,
  sequence: number,
  createTime: MessageShape<typeof TimestampSchema>,
  kind: EventKind,
): void {
  const field = kindFields.get(kind.case);
  if (field?.fieldKind !== "message") throw new Error(`no field of an event is ${kind.case}`);
  writer.fork();
  writer.tag(fields.sequence.number, WireType.Varint).uint32(sequence);
  writer.tag(fields.turnId.number, WireType.LengthDelimited).string(turnId);
  writer.tag(fields.sessionId.number, WireType.LengthDelimited).string(sessionId);
  writer.tag(fields.createTime.number, WireType.LengthDelimited).fork();
  writeMessage(writer, TimestampSchema, createTime);
  writer.join();
  writer.tag(field.number, WireType.LengthDelimited).fork();
  writeMessage(writer, field.message, kind.value);
  writer.join().join();
}

/** What events take together. */
export function byteLength(events: readonly EncodedEvent[]): number {
  return events.reduce((sum, event) => sum + event.length, 0);
}

/**
 * Reads a serialized event.
 *
 * @throws Refusal DATA_LOSS where it is not one: something has changed it on disk.
 */
export function decodeEvent(event: EncodedEvent): TurnEvent {
  return readEvent(event, (bytes) => fromBinary(TurnEventSchema, bytes));
}

/**
 * Has a serialized event read by what takes its bytes, without their length.
 *
 * @throws Refusal DATA_LOSS where that throws.
 */
export function readEvent<T>(event: EncodedEvent, read: (bytes: Uint8Array) => T): T {
  try {
    const { offset } = measure(event);
    return read(event.subarray(offset));
  } catch (error) {
    throw dataLost(`an event is damaged in the store: ${(error as Error).message}`);
  }
}

/** An event that is not durable. */
export function createTransientEvent(
  { turnId, sessionId }: TurnIds,
  kind: Extract<TurnEvent["kind"], { case: "checkpoint" | "textDelta" }>,
): TurnEvent {
  const createTime = timestampFromMs(Date.now());
  return create(TurnEventSchema, { turnId, sessionId, createTime, kind });
}

/** Events, each behind its length, one by one. */
function cutBatch(batch: Uint8Array): EncodedEvent[] {
  const events: EncodedEvent[] = [];
  for (let start = 0; start < batch.length; ) {
    const { size, offset } = measure(start === 0 ? batch : batch.subarray(start, start + 10));
    const end = start + offset + size;
    events.push(start === 0 && end === batch.length ? batch : batch.subarray(start, end));
    start = end;
  }
  return events;
}

function measure(delimited: Uint8Array): { size: number; offset: number } {
  const { eof, size, offset } = sizeDelimitedPeek(delimited);
  if (eof) throw new Error("a serialized event has no length");
  return { size, offset };
}
