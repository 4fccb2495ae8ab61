import type { ContextValues } from "@connectrpc/connect";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { Reader } from "../edge/reader.ts";
import type { Readers } from "../edge/readers.ts";
import type { ResetLimits } from "../edge/reset-limits.ts";
import { ClientGone } from "../edge/stream-ending.ts";
import { leaveUnread } from "../edge/unread-request.ts";
import { Refusal } from "../errors.ts";
import type { Log } from "../log.ts";
import { admit, callerOf, contextValuesOf, isAdmittedAgain } from "../rpc/admission.ts";
import type { RefusedRequests } from "../rpc/refused-requests.ts";
import type { Call } from "../rpc/request-listener.ts";
import type { RequestReading } from "../rpc/request-reading.ts";
import type { RequestLimits } from "../rpc/request-rules.ts";
import { respond, respondEmpty } from "../rpc/respond.ts";
import type { Routing } from "../rpc/routing.ts";
import type { Turns } from "../turns/turns.ts";
import { allowMethods } from "./allow-methods.ts";
import { consoleAnswers } from "./console.ts";
import { INERT_HEADERS } from "./inert-headers.ts";
import { respondMetrics, type ServedMetrics } from "./metrics.ts";
import { openApiDocument } from "./openapi.ts";
import { type Probed, probeAnswers } from "./probes.ts";
import { Problem, problemOf, respondProblem } from "./problem.ts";
import { acceptedFormat } from "./stream-format.ts";
import { plainShape } from "./stream-shape.ts";
import { type AnswerElsewhere, turnRequests } from "./turn-requests.ts";
import { openTurnStream } from "./turn-stream.ts";
import { unfitCallOf } from "./unfit-call.ts";

/** What plain requests are answered with: the same as the calls of RPC. */
export interface PlainHttpOptions extends RequestLimits, Probed {
  readonly turns: Turns;
  readonly readers: Readers;
  readonly resets: ResetLimits;
  readonly reading: RequestReading;
  /** As those of RPC. */
  readonly routing?: Routing | undefined;
  readonly refusedRequests: RefusedRequests;
  /** Undefined: the server keeps none. */
  readonly metrics: ServedMetrics | undefined;
  readonly log: Log;
}

type Answer = (call: Call, path: string, reader: Reader) => Promise<void>;

/**
 * Answers plain HTTP: turns as lines of JSON or as server-sent events, below `/v1/`, the document that describes them, probes, and the console.
 * What is refused is answered with a problem detail, calls of RPC that cannot be answered in their way included.
 *
 * @returns Answers a request; false: it is not for here.
 */
export function plainHttp(options: PlainHttpOptions): (call: Call) => boolean {
  const { log, readers, refusedRequests, metrics } = options;
  const stream = streamAnswer(options);
  const probeOf = probeAnswers(options);
  const document = JSON.stringify(openApiDocument());
  const consoleAnswerOf = consoleAnswers();
  const answerOf = (path: string, { request }: Call): Answer | undefined => {
    if (path === "/openapi.json") return (call) => respondDocument(document, call);
    if (path === "/metrics") {
      return (call, _path, reader) =>
        respondMetrics(metrics, call, () => admitPlain(options, call, reader));
    }
    if (path.startsWith("/v1/")) return stream;
    const probe = probeOf(path);
    if (probe !== undefined) return probe;
    const unfit = unfitCallOf(path, request);
    if (unfit !== undefined) return () => Promise.reject(unfit);
    return consoleAnswerOf(path, request);
  };
  return (call) => {
    const { request, response, target } = call;
    const path = target.path.split("?", 1)[0] ?? "";
    const answer = answerOf(path, call);
    if (answer === undefined) return false;
    const reader = readers.add(request, response);
    answer(call, path, reader)
      .catch((error: unknown) => {
        if (error instanceof ClientGone || reader.signal.reason instanceof ClientGone) return;
        const problem = problemOf(error, log);
        if (problem.refusal !== undefined) refusedRequests.count(problem.refusal.reason);
        if (response.headersSent) reader.cut();
        else return respondProblem(problem, request, response);
      })
      // The connection went away under the answer.
      .catch(() => reader.cut());
    return true;
  };
}

/** Open to everyone who reaches the server by its own name: it says the same on each. */
async function respondDocument(document: string, { request, response, refusal }: Call) {
  if (refusal !== undefined) throw new Refusal("ORIGIN_NOT_ALLOWED", refusal.message);
  allowMethods(request, ["GET", "HEAD"]);
  await leaveUnread(request, response);
  response.writeHead(200, {
    "content-type": "application/json",
    "cache-control": "no-cache",
    ...INERT_HEADERS,
  });
  response.end(document);
}

/**
 * Admits a request as RPC does, before anything of it is read.
 *
 * @throws Refusal.
 */
async function admitPlain(
  { admissionOf, resets, refusedRequests }: PlainHttpOptions,
  { request, refusal, admitted }: Call,
  reader: Reader,
): Promise<ContextValues> {
  const since = performance.now();
  const decided = admissionOf(request, refusal);
  // Where it is known it is noted at once, before the request can be reset.
  const admission = decided instanceof Promise ? await decided : decided;
  reader.signal.throwIfAborted();
  if ("caller" in admission) {
    const { caller } = admission;
    resets.setPrincipal(request, caller.name);
    reader.isStillAdmitted = () => isAdmittedAgain(admissionOf(request, refusal), caller);
  }
  const refused = () => refusedRequests.hold(admission, request, since, reader.signal);
  const values = contextValuesOf(admission, reader, admitted, refused);
  await admit({ values, method: BreakglassService.method.attachTurn });
  return values;
}

/** Streams what a request asks for that is admitted. */
function streamAnswer(options: PlainHttpOptions): Answer {
  const { turns, log, routing } = options;
  const requestOf = turnRequests(options);
  return async (call, path, reader) => {
    const { request, response, target } = call;
    const since = performance.now();
    const values = await admitPlain(options, call, reader);
    const ask = requestOf(path);
    if (ask === undefined) throw new Problem(404, "nothing is here: see /openapi.json");
    const format = acceptedFormat(request);
    const query = new URL(target.path, "http://host").searchParams;
    const caller = callerOf({ values });
    const answerElsewhere: AnswerElsewhere | undefined =
      routing &&
      ((method, read) => {
        const shape = plainShape(format, log);
        const received = { method, read, caller, request, response, path: target.path, reader };
        return routing.answer({ ...received, since, shape });
      });
    const askedStream = await ask({ request, query, values, reader, answerElsewhere });
    if (askedStream === undefined) return;
    const { asked, isReturning } = askedStream;
    const stream = await openTurnStream(turns, asked, caller, reader, format, log);
    if (isReturning && stream.isOver) {
      stream.close();
      // What tells an `EventSource` to come back no more.
      await respondEmpty(204, request, response);
    } else await respond(stream.answer(), request, response, reader);
  };
}
