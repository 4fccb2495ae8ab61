import type { Readable, Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";

const LENGTH_BYTES = 4;

/** Reads the one message of a stream, behind its length. */
export async function readDelimited<Desc extends DescMessage>(
  desc: Desc,
  stream: Readable,
): Promise<MessageShape<Desc>> {
  const bytes = await buffer(stream);
  return fromBinary(desc, bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + bytes.readUInt32BE()));
}

/** Writes a message behind its length. */
export function writeDelimited<Desc extends DescMessage>(
  desc: Desc,
  message: MessageShape<Desc>,
  stream: Writable,
): void {
  const bytes = toBinary(desc, message);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  stream.write(Buffer.concat([length, bytes]));
}
