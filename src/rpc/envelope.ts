import type { BodyWriter } from "../edge/body-writer.ts";

/** What all three protocols put in front of a message: a byte of flags, and the length. */
export const ENVELOPE_BYTES = 5;
/** What is as large is not copied into its envelope: all readers' writers hold the same bytes. */
const LARGE_BYTES = 16 * 1024;

/**
 * Writes a message into a response, past the framework's pipeline of generators: the envelope of a message that is not
 * compressed is the same in gRPC, gRPC-Web and Connect.
 *
 * @param tag - Of one byte; put in front of what begins with its length, where the message has that one field.
 */
export function pushMessage(writer: BodyWriter, bytes: Uint8Array, tag?: number): void {
  if (bytes.length < LARGE_BYTES) {
    const envelope = opened(0, bytes.length, tag, bytes.length);
    envelope.set(bytes, envelope.length - bytes.length);
    writer.push(envelope);
  } else {
    writer.push(opened(0, bytes.length, tag));
    writer.push(bytes);
  }
}

/** A message, or what ends a stream, in its envelope. */
export function enveloped(message: Uint8Array, flags = 0): Buffer {
  const bytes = opened(flags, message.length, undefined, message.length);
  bytes.set(message, ENVELOPE_BYTES);
  return bytes;
}

/** What stands in front of so many bytes, with room behind it. */
function opened(flags: number, length: number, tag: number | undefined, room = 0): Buffer {
  const tagBytes = tag === undefined ? 0 : 1;
  const bytes = Buffer.allocUnsafe(ENVELOPE_BYTES + tagBytes + room);
  bytes[0] = flags;
  bytes.writeUInt32BE(tagBytes + length, 1);
  if (tag !== undefined) bytes[ENVELOPE_BYTES] = tag;
  return bytes;
}
