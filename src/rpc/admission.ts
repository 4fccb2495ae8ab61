import { createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { addressOf } from "../edge/connection.ts";
import type { HttpRequest } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";
import { Refusal } from "../errors.ts";
import type { Caller, Principal } from "../identity/caller.ts";
import type { OriginRefusal, RequestOrigin } from "./origins.ts";
import type { Tokens } from "./tokens.ts";

/** Everyone, where the server knows no tokens: only this machine can reach it then. */
const LOCAL: Principal = {
  name: "local",
  roles: ["viewer", "operator", "approver", "admin"],
  means: "local",
};

/** Whether a request may be made: by whom, or why not. */
export type Admission = { readonly caller: Caller } | { readonly refusal: Refusal };

/** Who asks without a token for what anyone may know. No principal's name has a space. */
const PROBE: Caller = { name: "a probe", roles: [], means: "local", address: "" };

/** When somebody who left too many requests may make one again. */
const RETRY_MS = 1000;

const callerKey = createContextKey<Caller | undefined>(undefined);
const admissionKey = createContextKey<Admission | undefined>(undefined);
const admittedKey = createContextKey<() => void>(() => {});
const refusedKey = createContextKey<(refusal: Refusal) => void>(() => {});
const readerKey = createContextKey<Reader | undefined>(undefined);

/** Who calls, as `admit` established it. */
export function callerOf(context: Pick<HandlerContext, "values">): Caller {
  const caller = context.values.get(callerKey);
  if (caller === undefined) throw new Error("a request reached its handler without admission");
  return caller;
}

/** Who reads the response. */
export function readerOf(context: HandlerContext): Reader {
  const reader = context.values.get(readerKey);
  if (reader === undefined) throw new Error("a request reached its handler without a reader");
  return reader;
}

/**
 * What is to be known of a request and the framework does not keep.
 *
 * @param admitted - Is called where it is admitted.
 * @param refused - Is called where it is not.
 */
export function contextValuesOf(
  admission: Admission,
  reader: Reader,
  admitted: () => void,
  refused: (refusal: Refusal) => void,
) {
  return createContextValues()
    .set(admissionKey, admission)
    .set(readerKey, reader)
    .set(admittedKey, admitted)
    .set(refusedKey, refused);
}

/**
 * Decides on a request by its headers alone.
 *
 * @param stranger - Why it is refused for where it comes from; undefined: it is not.
 */
export type Admissions = (request: HttpRequest, stranger: OriginRefusal | undefined) => Admission;

/**
 * What decides on requests.
 *
 * @param tokens - Those of the moment, asked for with each request. Undefined: everyone is `local`.
 * @param isOver - Whether a principal left too many requests before they were answered.
 */
export function admissionsBy(
  tokens: () => Tokens | undefined,
  isOver: (principal: string) => boolean,
): Admissions {
  return (request, stranger) => admissionOf(request, stranger, tokens(), isOver);
}

function admissionOf(
  request: HttpRequest,
  stranger: OriginRefusal | undefined,
  tokens: Tokens | undefined,
  isOver: (principal: string) => boolean,
): Admission {
  if (stranger !== undefined) {
    return { refusal: new Refusal("ORIGIN_NOT_ALLOWED", stranger.message) };
  }
  const principal = tokens === undefined ? LOCAL : tokens.principalOf(authorizationOf(request));
  if (principal === undefined) {
    const message = "the request carries no bearer token that this server knows";
    return { refusal: new Refusal("UNAUTHENTICATED", message) };
  }
  if (!isOver(principal.name)) {
    return { caller: { ...principal, address: addressOf(request.socket) } };
  }
  const message = "too many requests of this principal were reset before they were answered";
  return { refusal: new Refusal("TOO_MANY_REQUESTS", message, { retryAfterMs: RETRY_MS }) };
}

/** The one Authorization header. Of two nobody can say which a proxy has looked at: null, as for none. */
function authorizationOf({ rawHeaders }: HttpRequest): string | null {
  const values = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "authorization",
  );
  return values.length === 1 ? values[0]! : null;
}

/** Where a request for a host comes from. */
export function originOf(request: HttpRequest, host: string): RequestOrigin {
  const { origin } = request.headers;
  return { host, origin: typeof origin === "string" ? origin : null };
}

/**
 * Lets a request through to its handler, before any of its body is read, or refuses it.
 *
 * @throws Refusal ORIGIN_NOT_ALLOWED, UNAUTHENTICATED or TOO_MANY_REQUESTS.
 */
export function admit(context: Pick<HandlerContext, "values" | "method">): void {
  const admission = context.values.get(admissionKey);
  if (admission === undefined) throw new Error("a request came without its admission");
  if ("refusal" in admission) {
    const { refusal } = admission;
    if (!isOpenToProbes(context, refusal)) {
      context.values.get(refusedKey)(refusal);
      throw refusal;
    }
    // Its connection stays a stranger's.
    context.values.set(callerKey, PROBE);
    return;
  }
  context.values.set(callerKey, admission.caller);
  context.values.get(admittedKey)();
}

/** Whoever watches over servers has no token of each: whether one serves is all that it learns. */
function isOpenToProbes({ method }: Pick<HandlerContext, "method">, { reason }: Refusal): boolean {
  return method === Health.method.check && reason === "UNAUTHENTICATED";
}
