import { Code, ConnectError } from "@connectrpc/connect";
import { ENVELOPE_BYTES } from "./envelope.ts";
import { MessageTooLarge } from "./message-bounds.ts";
import { ReceivedBytes } from "./received-bytes.ts";

/** A body as it comes, in pieces. */
export type Body = AsyncIterable<Uint8Array>;

/** The one message of a request, as its body has it. */
export interface MessageBytes {
  readonly received: ReceivedBytes;
  readonly isCompressed: boolean;
}

/** The flag of an envelope whose message is compressed. */
export const COMPRESSED = 1;

/**
 * Reads the one message of a body of envelopes; undefined: there is none.
 *
 * @param maxBytes - What it may have, compressed or not.
 * @throws ConnectError as the protocols have it for what is no envelope or more than one; MessageTooLarge, before the message
 * is read where its length says so.
 */
export async function readEnvelope(
  body: Body,
  maxBytes: number,
): Promise<MessageBytes | undefined> {
  const header = Buffer.alloc(ENVELOPE_BYTES);
  let headerBytes = 0;
  let length = 0;
  const received = new ReceivedBytes();
  for await (const chunk of body) {
    const ofHeader = chunk.subarray(0, ENVELOPE_BYTES - headerBytes);
    header.set(ofHeader, headerBytes);
    headerBytes += ofHeader.length;
    if (headerBytes < ENVELOPE_BYTES) continue;
    if (ofHeader.length > 0) length = lengthOf(header, maxBytes);
    const rest = chunk.subarray(ofHeader.length);
    if (received.length + rest.length > length) {
      const what = "protocol error: received extra input message, but the method takes one";
      throw new ConnectError(what, Code.Unimplemented);
    }
    received.add(rest);
  }
  if (headerBytes === 0) return undefined;
  if (headerBytes < ENVELOPE_BYTES || received.length < length) {
    throw new ConnectError("protocol error: incomplete envelope", Code.InvalidArgument);
  }
  return { received, isCompressed: header[0] === COMPRESSED };
}

/**
 * Reads a body that is one message.
 *
 * @throws MessageTooLarge
 */
export async function readWhole(body: Body, maxBytes: number): Promise<ReceivedBytes> {
  const received = new ReceivedBytes();
  for await (const chunk of body) {
    if (received.length + chunk.length > maxBytes) throw new MessageTooLarge(maxBytes);
    received.add(chunk);
  }
  return received;
}

function lengthOf(header: Buffer, maxBytes: number): number {
  const [flags = 0] = header;
  if (flags > COMPRESSED) {
    const what = `protocol error: the flags of an envelope are 0 or 1, and not ${flags}`;
    throw new ConnectError(what, Code.InvalidArgument);
  }
  const length = header.readUInt32BE(1);
  if (length > maxBytes) throw new MessageTooLarge(maxBytes);
  return length;
}
