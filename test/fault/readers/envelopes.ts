import { fromBinary, fromJsonString, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { AttachTurnResponseSchema } from "../../../gen/breakglass/v1/breakglass_service_pb.ts";
import { type TurnEvent, TurnEventSchema } from "../../../gen/breakglass/v1/event_pb.ts";

const HEADER_BYTES = 5;
const CONNECT_END = 0x02;
const GRPC_WEB_TRAILERS = 0x80;
const EVENT_FIELD = 1;
const SEQUENCE_FIELD = 1;

/** What a stream's body holds, envelope by envelope. */
export interface EnvelopeReader {
  /** A message of AttachTurn, serialized. Valid only during the call. */
  message(bytes: Buffer): void;
  /** The end of a stream of Connect or gRPC-Web, told within its body: its status as text, "0" where all is well. */
  status(status: string): void;
}

/** Takes a body apart, wherever the network cut it. */
export class Envelopes {
  readonly #reader: EnvelopeReader;
  #partial: Buffer | undefined;

  constructor(reader: EnvelopeReader) {
    this.#reader = reader;
  }

  push(chunk: Buffer): void {
    const bytes = this.#partial === undefined ? chunk : Buffer.concat([this.#partial, chunk]);
    let start = 0;
    while (bytes.length - start >= HEADER_BYTES) {
      const end = start + HEADER_BYTES + bytes.readUInt32BE(start + 1);
      if (end > bytes.length) break;
      this.#take(bytes[start]!, bytes.subarray(start + HEADER_BYTES, end));
      start = end;
    }
    // A copy: what it is a part of is larger and would live as long.
    this.#partial = start < bytes.length ? Buffer.from(bytes.subarray(start)) : undefined;
  }

  #take(flags: number, bytes: Buffer): void {
    if (flags === CONNECT_END) this.#reader.status(connectStatus(bytes.toString()));
    else if (flags === GRPC_WEB_TRAILERS) this.#reader.status(grpcWebStatus(bytes.toString()));
    else this.#reader.message(bytes);
  }
}

/** An event as it came: its place, and its bytes, of which the binary serialization is the common form. */
export interface ReceivedEvent {
  /** 0: it is not durable. */
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** The event of a response. */
export function receivedEvent(message: Buffer, isJson: boolean): ReceivedEvent {
  if (isJson) {
    const { event } = fromJsonString(AttachTurnResponseSchema, message.toString());
    if (event === undefined) throw new Error("a response holds no event");
    return { sequence: event.sequence, bytes: toBinary(TurnEventSchema, event) };
  }
  const response = new BinaryReader(message);
  const [field, type] = response.tag();
  if (field !== EVENT_FIELD || type !== WireType.LengthDelimited || message.length === 0) {
    throw new Error("a response does not begin with its event");
  }
  const bytes = response.bytes();
  return { sequence: sequenceOf(bytes), bytes };
}

/** The event whole. */
export function decodedEvent({ bytes }: ReceivedEvent): TurnEvent {
  return fromBinary(TurnEventSchema, bytes);
}

function sequenceOf(bytes: Uint8Array): number {
  const event = new BinaryReader(bytes);
  const [field] = event.tag();
  return field === SEQUENCE_FIELD ? event.uint32() : 0;
}

function connectStatus(json: string): string {
  const end = JSON.parse(json) as { error?: { code?: string; message?: string } };
  return end.error === undefined ? "0" : `${end.error.code}: ${end.error.message}`;
}

function grpcWebStatus(trailers: string): string {
  const status = /^grpc-status:\s*(\d+)/im.exec(trailers)?.[1];
  const message = /^grpc-message:\s*(.*)$/im.exec(trailers)?.[1] ?? "";
  return status === "0" ? "0" : `${status ?? "no status"}: ${message}`;
}
