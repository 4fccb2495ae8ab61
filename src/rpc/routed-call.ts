import type { Message } from "@bufbuild/protobuf";
import type {
  UniversalHandler,
  UniversalServerRequest,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import type { HttpRequest, HttpResponse } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";
import type { RequestTarget } from "../edge/request-target.ts";
import { Refusal } from "../errors.ts";
import type { Log } from "../log.ts";
import { admit, callerOf } from "./admission.ts";
import type { RefusedRequests } from "./refused-requests.ts";
import { timeLeft } from "./request-headers.ts";
import { isReadable, type RequestToRead } from "./request-messages.ts";
import type { RequestReading } from "./request-reading.ts";
import type { ReceivedCall, Routing } from "./routing.ts";
import { protocolShape } from "./stream-shape.ts";
import { wireFormatOf } from "./wire-format.ts";

/** A request as the framework takes it, and as it is read. */
export type Asked = UniversalServerRequest & Pick<RequestToRead, "body" | "contextValues">;

/** A call of an admitted caller that may belong elsewhere. */
interface RoutedCall {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly target: RequestTarget;
  readonly reader: Reader;
  readonly handle: UniversalHandler;
  readonly asked: Asked;
  readonly since: number;
}

interface Surroundings {
  readonly reading: RequestReading;
  readonly refusedRequests: Pick<RefusedRequests, "count">;
  readonly log: Log;
}

/**
 * Answers a call, here or where it belongs, which its message tells: that is read before the framework sees it.
 *
 * @returns The framework's answer; undefined: it was answered elsewhere.
 */
export async function routed(
  routing: Routing,
  call: RoutedCall,
  surroundings: Surroundings,
): Promise<UniversalServerResponse | undefined> {
  const { asked, handle } = call;
  const { messages } = surroundings.reading;
  // What the framework refuses by the headers it refuses here.
  if (!isReadable(asked.method, asked.header)) {
    return handle({ ...asked, body: messages.read(handle.method, asked) });
  }
  await admit({ values: asked.contextValues, method: handle.method });
  let take: () => Promise<Message | undefined>;
  try {
    const received = await receive(call, surroundings);
    if (received !== undefined && (await answer(routing, received, surroundings))) return undefined;
    take = async () => received && taken(received);
  } catch (error) {
    take = () => Promise.reject(error);
  }
  for (const name of ["grpc-timeout", "connect-timeout-ms"]) {
    const text = asked.header.get(name);
    const elapsedMs = performance.now() - call.since;
    if (text !== null) asked.header.set(name, timeLeft(name, text, elapsedMs));
  }
  return handle({ ...asked, body: messages.given(asked, take) });
}

async function receive(
  { request, response, target, reader, handle, asked, since }: RoutedCall,
  { reading, log }: Surroundings,
): Promise<ReceivedCall | undefined> {
  const { method } = handle;
  const read = await reading.messages.received(method, asked);
  if (read === undefined) return undefined;
  const format = wireFormatOf(asked.header.get("content-type"));
  const isStream = method.methodKind === "server_streaming" && format !== undefined;
  const shape = isStream ? protocolShape(format, log) : undefined;
  const caller = callerOf({ values: asked.contextValues });
  return { method, read, caller, request, response, path: target.path, reader, since, shape };
}

/** Counts what is refused for its home, as a handler's refusals are counted. */
async function answer(
  routing: Routing,
  received: ReceivedCall,
  { refusedRequests }: Surroundings,
): Promise<boolean> {
  try {
    return await routing.answer(received);
  } catch (error) {
    if (error instanceof Refusal) refusedRequests.count(error.reason);
    throw error;
  }
}

function taken(received: ReceivedCall): Message | undefined {
  const message = received.read?.message;
  received.read = undefined;
  return message;
}
