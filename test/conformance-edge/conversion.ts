import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { type Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import {
  type ConformancePayload_RequestInfo,
  ConformancePayload_RequestInfoSchema,
  type Error as ErrorDefinition,
  type Header,
  type HeaderSchema,
} from "./gen/connectrpc/conformance/v1/service_pb.ts";

/** The part of a definition that every answer has. */
interface MetadataDefinition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
}

/** Sets the headers and trailers that an answer is to have. */
export function setMetadata(
  { responseHeader, responseTrailer }: HandlerContext,
  definition: MetadataDefinition | undefined,
): void {
  append(responseHeader, definition?.responseHeaders);
  append(responseTrailer, definition?.responseTrailers);
}

/**
 * What was seen of a call, as it is told back.
 *
 * @param timeoutMs - As it was before its messages were waited for.
 */
export function requestInfo(
  context: HandlerContext,
  requests: Any[],
  timeoutMs = context.timeoutMs(),
): ConformancePayload_RequestInfo {
  const query = new URL(context.url).searchParams;
  const queryParams = headersOf(query);
  return create(ConformancePayload_RequestInfoSchema, {
    requestHeaders: headersOf(context.requestHeader),
    requests,
    ...(timeoutMs !== undefined && { timeoutMs: BigInt(Math.floor(timeoutMs)) }),
    ...(query.size > 0 && { connectGetInfo: { queryParams } }),
  });
}

/** @param info - Told in its details, where nothing was answered that could tell it. */
export function errorOf(
  { code, message, details }: ErrorDefinition,
  info?: ConformancePayload_RequestInfo,
): ConnectError {
  const error = new ConnectError(message ?? "", code as number as Code);
  const told = info === undefined ? [] : [anyPack(ConformancePayload_RequestInfoSchema, info)];
  error.details = [...details, ...told].map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  return error;
}

function append(headers: Headers, definitions: readonly Header[] = []): void {
  for (const { name, value } of definitions) {
    for (const item of value) headers.append(name, item);
  }
}

function headersOf(pairs: Iterable<[string, string]>): MessageInitShape<typeof HeaderSchema>[] {
  return [...pairs].map(([name, value]) => ({ name, value: [value] }));
}
