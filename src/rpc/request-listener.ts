import { createConnectRouter } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { HttpRequest, HttpResponse, RequestListener } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";
import { type ReaderLimits, Readers } from "../edge/readers.ts";
import { bodyLimits, RequestBodies } from "../edge/request-body.ts";
import { type RequestTarget, targetOf } from "../edge/request-target.ts";
import { Refusal } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Turns } from "../turns/turns.ts";
import { admit, contextValuesOf, originOf, requestOriginOf } from "./admission.ts";
import { breakglassService } from "./breakglass-service.ts";
import { largestMessageLimits } from "./message-limits.ts";
import type { Origins, RequestOrigin } from "./origins.ts";
import { RefusedRequests } from "./refused-requests.ts";
import { headersOf } from "./request-headers.ts";
import { ACCEPTED_COMPRESSION, RequestMessages, type RequestToRead } from "./request-messages.ts";
import type { RequestLimits } from "./request-rules.ts";
import { respond, respondEmpty } from "./respond.ts";
import { statusOf } from "./status.ts";
import type { Tokens } from "./tokens.ts";

const MIB = 1024 * 1024;

/** What requests are answered with. */
export interface RequestListenerOptions extends ReaderLimits, RequestLimits {
  readonly turns: Turns;
  readonly origins: Origins;
  /** Those of the moment, asked for with each request. Undefined: everyone is `local`. */
  readonly tokens: () => Tokens | undefined;
  /** When it aborts every open stream ends with STREAM_ENDED. */
  readonly closing: AbortSignal;
  readonly log: Log;
}

/** Answers HTTP requests of either version: gRPC, gRPC-Web and Connect, and the preflights of browsers. */
export function requestListener(options: RequestListenerOptions): RequestListener {
  const { origins } = options;
  const rpc = rpcListener(options);
  return (request, response, admitted) => {
    // A late write's error; that the connection is gone is heard of from its end.
    response.on("error", () => {});
    const target = targetOf(request);
    if (target === undefined) {
      void respondEmpty(400, request, response);
      return;
    }
    const origin = originOf(request, target.host);
    const preflight = request.method === "OPTIONS";
    const headers = origins.corsHeaders(origin, preflight);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (preflight) {
      const status = origins.refusalOf(origin) === undefined ? 204 : 403;
      void respondEmpty(status, request, response);
    } else rpc({ request, response, target, origin, admitted });
  };
}

/** A request whose target is known. */
interface Call {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly target: RequestTarget;
  readonly origin: RequestOrigin;
  readonly admitted: () => void;
}

/** Does what connect-node's adapter does, but for reading (`RequestBodies`) and writing (`respond`). */
function rpcListener(options: RequestListenerOptions): (call: Call) => void {
  const { log } = options;
  const { handlers } = createRouter(options);
  const handlersByPath = new Map(handlers.map((handler) => [handler.requestPath, handler]));
  const readers = new Readers(options, options.closing, log);
  const messages = new RequestMessages(options, log);
  const { binaryBytes, jsonBytes } = largestMessageLimits(options);
  const bodies = new RequestBodies(bodyLimits(binaryBytes, jsonBytes));
  return (call) => {
    const { request, response, target } = call;
    const handle = handlersByPath.get(target.path.split("?", 1)[0] ?? "");
    if (handle === undefined) {
      void respondEmpty(404, request, response);
      return;
    }
    const reader = readers.add(request, response);
    const body = bodies.of(request);
    const asked = universalRequest(call, reader, withStatus(body, log));
    handle({ ...asked, body: messages.read(handle.method, asked) })
      // What was read has become an answer, or the first message of one.
      .finally(() => body.release())
      .then((answer) => respond(answer, request, response, reader))
      .catch((error: unknown) => {
        if (!reader.signal.aborted) log.error("a request failed by a defect", { error });
        reader.cut();
      });
  };
}

function createRouter(options: RequestListenerOptions) {
  const { turns, origins, tokens, log } = options;
  const refused = new RefusedRequests(log);
  const router = createConnectRouter({
    acceptCompression: [...ACCEPTED_COMPRESSION],
    requestGate: (context) => {
      try {
        admit(context, origins, tokens());
      } catch (error) {
        if (error instanceof Refusal) refused.tell(error, { from: requestOriginOf(context).from });
        throw statusOf(error, log);
      }
    },
    // Responses are bounded to 3 MiB where they are made; this is what grpc-js takes by default.
    writeMaxBytes: 4 * MIB,
  });
  return router.service(BreakglassService, breakglassService(turns, options, log));
}

type Asked = UniversalServerRequest & Pick<RequestToRead, "body" | "contextValues">;

function universalRequest(
  { request, target, origin, admitted }: Call,
  reader: Reader,
  body: AsyncIterable<Uint8Array>,
): Asked {
  const { method = "", httpVersion } = request;
  const base = `${"encrypted" in request.socket ? "https" : "http"}://${target.host}`;
  return {
    httpVersion,
    method,
    url: new URL(target.path, base).toString(),
    header: headersOf(request),
    body,
    signal: reader.signal,
    contextValues: contextValuesOf(request, origin, reader, admitted),
  };
}

/** What reading a body throws, as the framework tells a client. */
async function* withStatus(body: AsyncIterable<Uint8Array>, log: Log) {
  try {
    yield* body;
  } catch (error) {
    throw statusOf(error, log);
  }
}
