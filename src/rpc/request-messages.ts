import type { DescMethod, Message, Registry } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextKey,
  type HandlerContext,
} from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { Log } from "../log.ts";
import { callerOf } from "./admission.ts";
import { decodeMessage, ENCODINGS, type ReceivedMessage } from "./decode-message.ts";
import type { DecodingThread } from "./decoding-thread.ts";
import { ENVELOPE_BYTES, enveloped } from "./envelope.ts";
import { InTurn, type Waiter } from "./in-turn.ts";
import {
  type Body,
  COMPRESSED,
  type MessageBytes,
  readEnvelope,
  readWhole,
} from "./message-body.ts";
import { MessageTooLarge } from "./message-bounds.ts";
import type { MessageLimits } from "./message-limits.ts";
import { joined, type ReceivedBytes } from "./received-bytes.ts";
import { statusOf } from "./status.ts";
import { type WireFormat, wireFormatOf } from "./wire-format.ts";

/** Read where it comes, in well below a millisecond; what is larger, or may become so, is read by the thread. */
const INLINE_BYTES = 64 * 1024;

const messageKey = createContextKey<Message | undefined>(undefined);

type Method = (message: never, context: HandlerContext) => unknown;

/** The same methods, each given the message of its request in place of what the framework read. */
export function withReadMessages<M extends Record<string, Method>>(methods: M): M {
  const wrapped = Object.entries(methods).map(([name, method]) => [
    name,
    (_standIn: never, context: HandlerContext) => method(takeMessage(context) as never, context),
  ]);
  return Object.fromEntries(wrapped) as M;
}

/** The message of a request, as it was read; once, for a stream would keep its attachments until it ends. */
function takeMessage(context: HandlerContext): Message {
  const message = context.values.get(messageKey);
  if (message === undefined) throw new Error("a request reached its handler without its message");
  context.values.delete(messageKey);
  return message;
}

/** A request whose message is to be read. */
export interface RequestToRead {
  /** As `headersOf` makes them. */
  readonly header: Headers;
  readonly body: Body;
  readonly contextValues: ContextValues;
  /** Aborts when nobody waits for its answer any more. */
  readonly signal: AbortSignal;
}

/** A message and the body that it came in. */
export interface ReadMessage {
  readonly message: Message;
  readonly body: readonly Uint8Array[];
}

/** The framework compresses its answers; what it is given to read is not compressed any more. */
export const ACCEPTED_COMPRESSION: readonly Compression[] = [
  withoutDecompression(compressionGzip),
  withoutDecompression(compressionBrotli),
];

/**
 * Reads the messages of requests in the framework's place, which builds all of a message before anyone has looked at it,
 * on the thread that serves everyone.
 *
 * 1. A message is held against its method's limit before it is read, and against it again when it is decompressed.
 * 2. Its elements, its depth and its text are bounded before anything is built.
 * 3. What could take long is read in another thread, of each principal in turn.
 */
export class RequestMessages {
  readonly #limitsOf: (method: DescMethod) => MessageLimits;
  readonly #thread: DecodingThread;
  readonly #anyTypes: Registry | undefined;
  readonly #turns = new InTurn();
  readonly #log: Log;

  /**
   * @param thread - Reads what could take long: of methods of its service alone.
   * @param anyTypes - What an `Any` in JSON may hold that the thread does not read. Undefined: nothing.
   */
  constructor(
    limitsOf: (method: DescMethod) => MessageLimits,
    thread: DecodingThread,
    log: Log,
    anyTypes?: Registry,
  ) {
    this.#anyTypes = anyTypes;
    this.#limitsOf = limitsOf;
    this.#thread = thread;
    this.#log = log;
  }

  /**
   * The body that the framework is given: empty of what came, which is in the request's context values by then, but in its
   * envelope and format. It is asked for once the caller is admitted, and not before.
   *
   * @throws ConnectError, which the framework answers with, for a message that is not taken.
   */
  read(method: DescMethod, request: RequestToRead): Body {
    return this.given(request, () => this.message(method, request));
  }

  /** The same with a message that is read otherwise; `read` may throw what `message` does. */
  async *given(
    request: Pick<RequestToRead, "header" | "contextValues">,
    read: () => Promise<Message | undefined>,
  ): Body {
    const format = formatOf(request);
    const message = await Promise.try(read).catch((error: unknown) => {
      throw statusOfUnread(error, this.#log);
    });
    if (message === undefined) return;
    request.contextValues.set(messageKey, message);
    yield standIn(format);
  }

  /**
   * The message of an admitted request itself, for who answers without the framework; undefined: its body has none.
   *
   * @throws Refusal, MessageTooLarge or ConnectError for a message that is not taken.
   */
  async message(
    method: DescMethod,
    request: RequestToRead,
    unknownFields?: "refused",
  ): Promise<Message | undefined> {
    return (await this.#read(method, request, unknownFields, false))?.message;
  }

  /** The same with the body as it came, for who hands it on. */
  received(
    method: DescMethod,
    request: RequestToRead,
    unknownFields?: "refused",
  ): Promise<ReadMessage | undefined> {
    return this.#read(method, request, unknownFields, true);
  }

  async #read(
    method: DescMethod,
    request: RequestToRead,
    unknownFields: "refused" | undefined,
    keepsBody: boolean,
  ): Promise<ReadMessage | undefined> {
    const format = formatOf(request);
    const limits = this.#limitsOf(method);
    const { isJson } = format;
    const maxBytes = isJson ? limits.jsonBytes : limits.binaryBytes;
    const bytes = await readMessage(request, format, maxBytes);
    if (bytes === undefined) return undefined;
    const encoding = encodingOf(bytes, request.header, format);
    const how = { encoding, isJson, maxBytes, textBytes: limits.textBytes, unknownFields };
    const waiter = {
      principal: callerOf({ values: request.contextValues }).name,
      signal: request.signal,
    };
    const segments = bytes.received.segments();
    // The thread takes their memory.
    const body = keepsBody ? bodyOf(bytes, format, segments) : [];
    return { message: await this.#decode(method, bytes.received, segments, how, waiter), body };
  }

  async #decode(
    method: DescMethod,
    received: ReceivedBytes,
    segments: Uint8Array<ArrayBuffer>[],
    how: Omit<ReceivedMessage, "bytes">,
    waiter: Waiter,
  ): Promise<Message> {
    const most = how.encoding === undefined ? received.length : how.maxBytes;
    return most > INLINE_BYTES
      ? this.#turns.run(waiter, () => this.#thread.decode(method, segments, how))
      : decodeMessage(method.input, { ...how, bytes: joined(segments) }, this.#anyTypes);
  }
}

/** Whether a request's headers are such that its message can be read: the framework refuses others, and says why. */
export function isReadable(method: string, header: Headers): boolean {
  const format = wireFormatOf(header.get("content-type"));
  if (method !== "POST" || format === undefined) return false;
  const encoding = header.get(format.encodingHeader) ?? "identity";
  return encoding === "identity" || knownEncoding(header, format) !== undefined;
}

/** A body as it came, of what was read of it. */
function bodyOf(
  { received, isCompressed }: MessageBytes,
  { isEnveloped }: WireFormat,
  segments: readonly Uint8Array[],
): Uint8Array[] {
  const copies = segments.map((segment) => segment.slice());
  if (!isEnveloped) return copies;
  const header = Buffer.alloc(ENVELOPE_BYTES);
  header[0] = isCompressed ? COMPRESSED : 0;
  header.writeUInt32BE(received.length, 1);
  return [header, ...copies];
}

function formatOf({ header }: Pick<RequestToRead, "header">): WireFormat {
  const format = wireFormatOf(header.get("content-type"));
  if (format === undefined) throw new Error("a body of no known format was read");
  return format;
}

/** The status of what is not read: without details for what is too large, which no caller can mend. */
function statusOfUnread(error: unknown, log: Log): ConnectError {
  return error instanceof MessageTooLarge
    ? new ConnectError(error.message, Code.ResourceExhausted)
    : statusOf(error, log);
}

async function readMessage(
  { body, header }: RequestToRead,
  format: WireFormat,
  maxBytes: number,
): Promise<MessageBytes | undefined> {
  if (format.isEnveloped) return readEnvelope(body, maxBytes);
  const received = await readWhole(body, maxBytes);
  return { received, isCompressed: knownEncoding(header, format) !== undefined };
}

/** What a message is compressed with; undefined: with nothing. */
function encodingOf(
  { isCompressed }: MessageBytes,
  header: Headers,
  format: WireFormat,
): ReceivedMessage["encoding"] {
  const encoding = knownEncoding(header, format);
  if (!isCompressed) return undefined;
  if (encoding !== undefined) return encoding;
  // The code that gRPC has for it.
  const what = `the message is compressed, but ${format.encodingHeader} does not say how`;
  throw new ConnectError(what, Code.Internal);
}

/** Others the framework has refused by then. */
function knownEncoding(header: Headers, format: WireFormat): ReceivedMessage["encoding"] {
  const name = header.get(format.encodingHeader);
  return ENCODINGS.find((encoding) => encoding === name);
}

/** The least that the framework takes for a message. */
function standIn({ isJson, isEnveloped }: WireFormat): Uint8Array {
  const message = Buffer.from(isJson ? "{}" : "");
  return isEnveloped ? enveloped(message) : message;
}

function withoutDecompression(compression: Compression): Compression {
  return { ...compression, decompress: async (bytes) => new Uint8Array(bytes) };
}
