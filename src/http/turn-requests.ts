import { create } from "@bufbuild/protobuf";
import type { ContextValues } from "@connectrpc/connect";
import {
  AttachTurnRequestSchema,
  BreakglassService,
  type RunTurnRequest,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { HttpRequest } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";
import { callerOf } from "../rpc/admission.ts";
import { type AskedTurn, askAttach, askRun } from "../rpc/asked-turn.ts";
import { ENCODINGS } from "../rpc/decode-message.ts";
import { headersOf } from "../rpc/request-headers.ts";
import type { ReadMessage } from "../rpc/request-messages.ts";
import type { RequestReading } from "../rpc/request-reading.ts";
import { type RequestLimits, runTurnRules } from "../rpc/request-rules.ts";
import { wireFormatOf } from "../rpc/wire-format.ts";
import { traceContextOf } from "../trace-context.ts";
import type { Turns } from "../turns/turns.ts";
import { allowMethods } from "./allow-methods.ts";
import { eventQueryOf, refuseUnknown } from "./event-query.ts";
import { Problem } from "./problem.ts";

/** A plain request that was admitted. */
export interface PlainRequest {
  readonly request: HttpRequest;
  readonly query: URLSearchParams;
  /** Who asks, among others. */
  readonly values: ContextValues;
  readonly reader: Reader;
  /** Has it answered where it belongs; false: here. Undefined: there are no other servers. */
  readonly answerElsewhere: AnswerElsewhere | undefined;
}

/** @param read - The call of RPC that asks for the same. It is let go of where it is handed on. */
export type AnswerElsewhere = (
  method: typeof runTurn | typeof attachTurn,
  read: ReadMessage,
) => Promise<boolean>;

/** A stream that a request asks for. */
export interface AskedStream {
  readonly asked: AskedTurn;
  /** Whether it is to be told, in place of an empty stream, that there is no more. */
  readonly isReturning: boolean;
}

interface Surroundings extends RequestLimits {
  readonly turns: Turns;
  readonly reading: RequestReading;
}

const EVENTS_PATH = /^\/v1\/turns\/([^/]{1,200})\/events$/;
const { runTurn, attachTurn } = BreakglassService.method;

/**
 * Reads requests for streams by their paths.
 *
 * @returns Answers undefined where nothing is at a path, and resolves with undefined where it was answered elsewhere. Throws Refusal, ConnectError and Problem.
 */
export function turnRequests(surroundings: Surroundings) {
  const rules = runTurnRules(surroundings);
  const { turns } = surroundings;

  async function run(plain: PlainRequest): Promise<AskedStream | undefined> {
    const { request, query, values, reader } = plain;
    allowMethods(request, ["POST"]);
    refuseUnknown(query, []);
    const message = await readRunTurn(plain, surroundings);
    if (message === undefined) return undefined;
    const trace = traceContextOf(headersOf(request));
    const caller = callerOf({ values });
    const asked = await askRun(turns, rules, message, caller, reader.signal, trace);
    return { asked, isReturning: false };
  }

  async function attach(turnId: string, plain: PlainRequest): Promise<AskedStream | undefined> {
    const { request, query, answerElsewhere } = plain;
    allowMethods(request, ["GET"]);
    const { isReturning, ...from } = eventQueryOf(request, query);
    const asked = askAttach({ turnId, ...from });
    if (answerElsewhere !== undefined) {
      const message = create(AttachTurnRequestSchema, { turnId, ...from });
      if (await answerElsewhere(attachTurn, { message, body: [] })) return undefined;
    }
    return { asked, isReturning };
  }

  return (
    path: string,
  ): ((plain: PlainRequest) => Promise<AskedStream | undefined>) | undefined => {
    if (path === "/v1/turns") return run;
    const [, turnId] = EVENTS_PATH.exec(path) ?? [];
    return turnId === undefined ? undefined : (plain) => attach(turnId, plain);
  };
}

/** Undefined: it was answered elsewhere. */
async function readRunTurn(
  { request, values, reader, answerElsewhere }: PlainRequest,
  { reading }: Surroundings,
): Promise<RunTurnRequest | undefined> {
  const header = headersOf(request);
  refuseFormat(header);
  const body = reading.bodies.of(request);
  try {
    const asked = { header, body, contextValues: values, signal: reader.signal };
    if (answerElsewhere === undefined) {
      return (await reading.messages.message(runTurn, asked, "refused")) as RunTurnRequest;
    }
    const read = await reading.messages.received(runTurn, asked, "refused");
    if (read === undefined || (await answerElsewhere(runTurn, read))) return undefined;
    return read.message as RunTurnRequest;
  } finally {
    body.release();
  }
}

/** @throws Problem 415 */
function refuseFormat(header: Headers): void {
  const mediaType = wireFormatOf(header.get("content-type"))?.mediaType;
  if (mediaType !== "application/json") {
    const detail =
      "the body must be a RunTurnRequest as JSON, with content-type: application/json (curl --json)";
    throw new Problem(415, detail, { "accept-post": "application/json" });
  }
  const encoding = header.get("content-encoding") ?? "identity";
  const known = ["identity", ...ENCODINGS];
  if (known.includes(encoding)) return;
  const detail = `the body must be compressed with ${known.join(" or ")}`;
  throw new Problem(415, detail, { "accept-encoding": known.join(", ") });
}
