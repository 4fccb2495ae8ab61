import type { DescMethod } from "@bufbuild/protobuf";
import type { ContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { HttpRequest, HttpResponse, RequestListener } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";
import type { Readers } from "../edge/readers.ts";
import { isProbe, type RequestTarget, targetOf } from "../edge/request-target.ts";
import type { ResetLimits } from "../edge/reset-limits.ts";
import { streamedBody } from "../edge/streamed-body.ts";
import type { Log } from "../log.ts";
import { PacedWarning } from "../paced-warning.ts";
import {
  type Admission,
  type Admissions,
  contextValuesOf,
  isAdmittedAgain,
  originOf,
  whenAdmitted,
} from "./admission.ts";
import { deadlineSignal } from "./far-deadline.ts";
import { getCallOf } from "./get-call.ts";
import type { OriginRefusal, Origins } from "./origins.ts";
import type { PrincipalRequests } from "./principal-requests.ts";
import type { RefusedRequests } from "./refused-requests.ts";
import { headersOf } from "./request-headers.ts";
import type { RequestReading } from "./request-reading.ts";
import { respond, respondEmpty } from "./respond.ts";
import { type Asked, routed } from "./routed-call.ts";
import type { Routing } from "./routing.ts";
import { statusOf } from "./status.ts";
import { isTextFormat, respondTextFormat, respondUnknown } from "./unknown-method.ts";

/** What requests are answered with. */
export interface RequestListenerOptions {
  /** The methods that may be called, by their paths; their router is made by `createRouter`. */
  readonly handlers: ReadonlyMap<string, UniversalHandler>;
  readonly origins: Pick<Origins, "corsHeaders" | "refusalOf">;
  readonly admissionOf: Admissions;
  /** Those of all responses. */
  readonly readers: Readers;
  readonly resets: ResetLimits;
  readonly requests: Pick<PrincipalRequests, "count">;
  /** Has calls answered where they belong. Undefined: all belong here. */
  readonly routing?: Routing | undefined;
  readonly reading: RequestReading;
  readonly refusedRequests: RefusedRequests;
  /** Answers what is no call of a method. False: it is one, or nothing is there. */
  readonly plain: (call: Call) => boolean;
  readonly log: Log;
}

/** Answers HTTP requests of either version: gRPC, gRPC-Web and Connect, and the preflights of browsers. */
export function requestListener(options: RequestListenerOptions): RequestListener {
  const { origins, log } = options;
  const rpc = rpcListener(options);
  const strangers = new PacedWarning(log, "requests were refused: to allow them, set", "refused");
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
    const refusal = origins.refusalOf(origin);
    if (refusal !== undefined && !isProbe(target)) strangers.count(refusal.mend);
    if (preflight) {
      void respondEmpty(refusal === undefined ? 204 : 403, request, response);
    } else rpc({ request, response, target, refusal, admitted });
  };
}

/** A request whose target is known. */
export interface Call {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly target: RequestTarget;
  /** Why it is refused for where it comes from. */
  readonly refusal: OriginRefusal | undefined;
  readonly admitted: () => void;
}

/** Does what connect-node's adapter does, but for reading (`RequestBodies`) and writing (`respond`). */
function rpcListener(options: RequestListenerOptions): (call: Call) => void {
  const { handlers, log, admissionOf, readers, resets, requests, refusedRequests, plain } = options;
  const { bodies, messages, dialogueBytes } = options.reading;
  const { routing } = options;
  const answer = (call: Call, handle: UniversalHandler, decided: Admission, since: number) => {
    const { request, response } = call;
    const admission = requests.count(decided, handle.method, response);
    if ("caller" in admission) resets.setPrincipal(request, admission.caller.name);
    const reader = readers.add(request, response);
    if ("caller" in admission && handle.method.methodKind !== "unary") {
      const { caller } = admission;
      reader.isStillAdmitted = () => isAdmittedAgain(admissionOf(request, call.refusal), caller);
    }
    const isDialogue = takesMany(handle.method);
    const body = bodies.of(request);
    const refused = () => {
      if ("refusal" in admission) refusedRequests.count(admission.refusal.reason);
      return refusedRequests.hold(admission, request, since, reader.signal);
    };
    const values = contextValuesOf(admission, reader, call.admitted, refused);
    const received = withStatus(isDialogue ? streamedBody(request, dialogueBytes) : body, log);
    const asked = universalRequest(call, handle.method, reader, received, values);
    const isRouted = routing?.concerns(handle.method) === true && "caller" in admission;
    const answered = isRouted
      ? routed(routing, { ...call, handle, reader, asked, since }, options)
      : // The framework reads the messages of a dialogue itself, one by one.
        handle(isDialogue ? asked : { ...asked, body: messages.read(handle.method, asked) });
    answered
      // What was read has become an answer, or the first message of one.
      .finally(() => body.release())
      .then((answer) => answer && respond(answer, request, response, reader))
      .catch((error: unknown) => {
        if (!reader.signal.aborted) log.error("a request failed by a defect", { error });
        reader.cut();
      });
  };
  return (call) => {
    if (plain(call)) return;
    const { request, response, target, refusal } = call;
    if (isTextFormat(request)) {
      void respondTextFormat(request, response);
      return;
    }
    const path = target.path.split("?", 1)[0] ?? "";
    const handle = handlers.get(path);
    if (handle === undefined) {
      void respondUnknown(path, request, response);
      return;
    }
    const since = performance.now();
    whenAdmitted(
      admissionOf(request, refusal),
      response,
      (admission) => answer(call, handle, admission, since),
      (error) => {
        log.error("a request failed by a defect", { error });
        response.destroy();
      },
    );
  };
}

function universalRequest(
  { request, response, target }: Call,
  called: DescMethod,
  reader: Reader,
  body: AsyncIterable<Uint8Array>,
  contextValues: ContextValues,
): Asked {
  const { method = "", httpVersion } = request;
  const base = `${"encrypted" in request.socket ? "https" : "http"}://${target.host}`;
  const url = new URL(target.path, base);
  const get = method === "GET" ? getCallOf(called, url) : undefined;
  // What it is answered with is of the moment.
  if (get !== undefined) response.setHeader("cache-control", "no-store");
  return {
    httpVersion,
    method: get === undefined ? method : "POST",
    url: url.toString(),
    header: headersOf(request, get?.headers),
    body: get === undefined ? body : onePiece(get.body),
    signal: deadlineSignal(request, response, reader.signal),
    contextValues,
  };
}

/** Whether a call has as many messages as its client likes. */
function takesMany({ methodKind }: DescMethod): boolean {
  return methodKind === "bidi_streaming" || methodKind === "client_streaming";
}

async function* onePiece(bytes: Uint8Array) {
  yield bytes;
}

/** What reading a body throws, as the framework tells a client. */
async function* withStatus(body: AsyncIterable<Uint8Array>, log: Log) {
  try {
    yield* body;
  } catch (error) {
    throw statusOf(error, log);
  }
}
