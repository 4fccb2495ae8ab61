import { create, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { BodyWriter } from "../../src/edge/body-writer.ts";
import { readerOf } from "../../src/rpc/admission.ts";
import { pushMessage } from "../../src/rpc/envelope.ts";
import { wireFormatOf } from "../../src/rpc/wire-format.ts";
import { ANY_TYPES } from "./any-types.ts";
import { errorOf, requestInfo, setMetadata } from "./conversion.ts";
import {
  type BidiStreamRequest,
  BidiStreamRequestSchema,
  ConformancePayloadSchema,
  type ServerStreamRequest,
  ServerStreamRequestSchema,
  ServerStreamResponseSchema,
  type StreamResponseDefinition,
} from "./gen/connectrpc/conformance/v1/service_pb.ts";
import { pause } from "./pause.ts";

type Payload = MessageInitShape<typeof ConformancePayloadSchema>;

/** The tag of the field `payload` in `ServerStreamResponse`. */
const PAYLOAD_TAG = 0x0a;

/** Answers through the framework, message by message. */
export async function* serverStream(request: ServerStreamRequest, context: HandlerContext) {
  for await (const payload of payloadsFor(request, context)) yield { payload };
}

/** Answers as turns are streamed: the first message through the framework, and the others past it. */
export async function* serverStreamPastFramework(
  request: ServerStreamRequest,
  context: HandlerContext,
) {
  const payloads = payloadsFor(request, context);
  const first = await payloads.next();
  if (first.done) return;
  yield { payload: first.value };
  const writer = await readerOf(context).writing;
  const isJson = wireFormatOf(context.requestHeader.get("content-type"))?.isJson === true;
  for await (const payload of payloads) {
    await roomOf(writer, context.signal);
    if (isJson) pushMessage(writer, jsonOf(payload));
    else pushMessage(writer, binaryOf(payload), PAYLOAD_TAG);
  }
}

/** Answers each message as it comes, or all of them when its client has said all; the first message says which. */
export async function* bidiStream(
  requests: AsyncIterable<BidiStreamRequest>,
  context: HandlerContext,
) {
  const timeoutMs = context.timeoutMs();
  let first: BidiStreamRequest | undefined;
  let given = 0;
  let seen: Any[] = [];
  const left = () => (first?.responseDefinition?.responseData ?? []).slice(given);
  const next = async (data: Uint8Array) => {
    await pause(first?.responseDefinition?.responseDelayMs, context);
    const told = given === 0 ? requestInfo(context, seen, timeoutMs) : laterInfo(seen);
    const payload = { data, ...(told && { requestInfo: told }) };
    given++;
    seen = [];
    return { payload };
  };
  for await (const request of requests) {
    if (first === undefined) setMetadata(context, request.responseDefinition);
    first ??= request;
    seen.push(anyPack(BidiStreamRequestSchema, request));
    if (!first.fullDuplex) continue;
    const [data] = left();
    if (data === undefined) break;
    yield await next(data);
  }
  for (const data of left()) yield await next(data);
  throwErrorOf(first?.responseDefinition, given, seen, context);
}

/** The first answer tells all that was seen of a call; this is what others tell: what came since the one before. */
function laterInfo(requests: Any[]): Payload["requestInfo"] {
  return requests.length > 0 ? { requests } : undefined;
}

async function* payloadsFor(
  request: ServerStreamRequest,
  context: HandlerContext,
): AsyncGenerator<Payload, void> {
  const { responseDefinition: definition } = request;
  const seen = [anyPack(ServerStreamRequestSchema, request)];
  setMetadata(context, definition);
  const { responseData = [], responseDelayMs } = definition ?? {};
  for (const [index, data] of responseData.entries()) {
    await pause(responseDelayMs, context);
    yield index === 0 ? { data, requestInfo: requestInfo(context, seen) } : { data };
  }
  throwErrorOf(definition, responseData.length, seen, context);
}

/** @param given - How many answers there were: the first one told what was seen of the call. */
function throwErrorOf(
  definition: StreamResponseDefinition | undefined,
  given: number,
  seen: Any[],
  context: HandlerContext,
): void {
  if (definition?.error === undefined) return;
  throw errorOf(definition.error, given === 0 ? requestInfo(context, seen) : undefined);
}

/** Resolves when a writer takes more, or nobody waits for it. */
async function roomOf(writer: BodyWriter, signal: AbortSignal): Promise<void> {
  if (!writer.isFull || signal.aborted) return;
  await new Promise<void>((resolve) => {
    writer.onRoom = resolve;
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Begins with its length, as events do that are on record. */
function binaryOf(payload: Payload): Uint8Array {
  return sizeDelimitedEncode(ConformancePayloadSchema, create(ConformancePayloadSchema, payload));
}

function jsonOf(payload: Payload): Uint8Array {
  const message = create(ServerStreamResponseSchema, { payload });
  return Buffer.from(toJsonString(ServerStreamResponseSchema, message, { registry: ANY_TYPES }));
}
