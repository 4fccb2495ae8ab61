import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { errorOf, requestInfo, setMetadata } from "./conversion.ts";
import {
  type ClientStreamRequest,
  ClientStreamRequestSchema,
  type IdempotentUnaryRequest,
  IdempotentUnaryRequestSchema,
  type UnaryRequest,
  UnaryRequestSchema,
  type UnaryResponseDefinition,
} from "./gen/connectrpc/conformance/v1/service_pb.ts";
import { pause } from "./pause.ts";

/** The methods with one answer. */
export const unaryMethods = {
  unary(request: UnaryRequest, context: HandlerContext) {
    return answer(request.responseDefinition, [anyPack(UnaryRequestSchema, request)], context);
  },

  idempotentUnary(request: IdempotentUnaryRequest, context: HandlerContext) {
    const seen = anyPack(IdempotentUnaryRequestSchema, request);
    return answer(request.responseDefinition, [seen], context);
  },
};

/** Answers once its client has said all; the first message says how. */
export async function clientStream(
  requests: AsyncIterable<ClientStreamRequest>,
  context: HandlerContext,
) {
  const timeoutMs = context.timeoutMs();
  let definition: UnaryResponseDefinition | undefined;
  const seen: Any[] = [];
  for await (const request of requests) {
    if (seen.length === 0) definition = request.responseDefinition;
    seen.push(anyPack(ClientStreamRequestSchema, request));
  }
  return answer(definition, seen, context, timeoutMs);
}

async function answer(
  definition: UnaryResponseDefinition | undefined,
  seen: Any[],
  context: HandlerContext,
  timeoutMs = context.timeoutMs(),
) {
  setMetadata(context, definition);
  await pause(definition?.responseDelayMs, context);
  const info = requestInfo(context, seen, timeoutMs);
  const { response } = definition ?? {};
  if (response?.case === "error") throw errorOf(response.value, info);
  const data = response?.case === "responseData" ? { data: response.value } : {};
  return { payload: { ...data, requestInfo: info } };
}
