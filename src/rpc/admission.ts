import { createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { addressOf } from "../edge/connection.ts";
import type { HttpRequest } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";
import { Refusal } from "../errors.ts";
import type { Caller, Principal } from "../identity/caller.ts";
import type { LocalToken } from "../identity/local-token.ts";
import { isOwn, type Peer } from "../identity/peer.ts";
import type { OriginRefusal, RequestOrigin } from "./origins.ts";
import { bearerOf, type Tokens } from "./tokens.ts";

/** The server's own user, where it knows no tokens of others: only this machine can reach it then. */
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
 * @param peer - Who makes it.
 */
export type Admissions = (
  request: HttpRequest,
  stranger: OriginRefusal | undefined,
  peer: Peer,
) => Admission;

/**
 * What decides on requests.
 *
 * @param tokens - Those of the moment, asked for with each request. Undefined: there are none but the local one.
 * @param local - That of the server's own user. Undefined: everyone is `local`.
 * @param isOver - Whether a principal left too many requests before they were answered.
 */
export function admissionsBy(
  tokens: () => Tokens | undefined,
  local: LocalToken | undefined,
  isOver: (principal: string) => boolean,
): Admissions {
  return (request, stranger, peer) => {
    const refusal = strangerRefusal(stranger) ?? peerRefusal(peer);
    if (refusal !== undefined) return { refusal };
    const known = tokens();
    const principal =
      known === undefined ? localOf(request, peer, local) : ofTokens(request, known);
    return principal instanceof Refusal
      ? { refusal: principal }
      : admitted(request, principal, isOver);
  };
}

function strangerRefusal(stranger: OriginRefusal | undefined): Refusal | undefined {
  return stranger && new Refusal("ORIGIN_NOT_ALLOWED", stranger.message);
}

/** An agent is not its operator, and must not approve what it asked for: no credential that it has come by counts. */
function peerRefusal(peer: Peer): Refusal | undefined {
  if (peer.kind === "agent") {
    const message = "a process of an agent may not call the server, whatever token it sends";
    return new Refusal("AGENT_NOT_ALLOWED", message);
  }
  if (peer.kind !== "unknown" || peer.when === "always") return undefined;
  const message = `it cannot be told whether an agent makes this call (${peer.why}): make it again`;
  return new Refusal("AGENT_NOT_ALLOWED", message);
}

function ofTokens(request: HttpRequest, tokens: Tokens): Principal | Refusal {
  const message = "the request carries no bearer token that this server knows";
  const [header = null, ...more] = authorizationsOf(request);
  // Of two nobody can say which a proxy has looked at.
  const principal = more.length > 0 ? undefined : tokens.principalOf(header);
  return principal ?? new Refusal("UNAUTHENTICATED", message);
}

/** Without a token it is known by its process, as it could read the token. A wrong one is never as good as none. */
function localOf(
  request: HttpRequest,
  peer: Peer,
  local: LocalToken | undefined,
): Principal | Refusal {
  if (local === undefined) return LOCAL;
  const [header, ...more] = authorizationsOf(request);
  if (header === undefined) {
    if (isOwn(peer)) return LOCAL;
    const message = `without a token this server takes calls of its own user's processes alone, ${UNTOLD[peer.kind]}: \`breakglass token local\`, run as that user, prints one for BREAKGLASS_TOKEN`;
    return new Refusal("UNAUTHENTICATED", message);
  }
  const token = bearerOf(header);
  if (more.length === 0 && token !== undefined && local.is(token)) return LOCAL;
  const message =
    "the request carries a token that is not this server's: `breakglass token local`, run as the server's user, prints the right one";
  return new Refusal("UNAUTHENTICATED", message);
}

/** Why whoever calls is not taken for the server's own user. */
const UNTOLD: Readonly<Record<Peer["kind"], string>> = {
  process: "and this is another user's",
  unknown: "and this one's cannot be told",
  far: "and this one is on another machine",
  agent: "and this is an agent's",
};

function admitted(
  request: HttpRequest,
  principal: Principal,
  isOver: (principal: string) => boolean,
): Admission {
  if (!isOver(principal.name)) {
    return { caller: { ...principal, address: addressOf(request.socket) } };
  }
  const message = "too many requests of this principal were reset before they were answered";
  return { refusal: new Refusal("TOO_MANY_REQUESTS", message, { retryAfterMs: RETRY_MS }) };
}

/** All Authorization headers. */
function authorizationsOf({ rawHeaders }: HttpRequest): string[] {
  return rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "authorization",
  );
}

/** Where a request for a host comes from. */
export function originOf(request: HttpRequest, host: string): RequestOrigin {
  const { origin } = request.headers;
  return { host, origin: typeof origin === "string" ? origin : null };
}

/**
 * Lets a request through to its handler, before any of its body is read, or refuses it.
 *
 * @throws Refusal ORIGIN_NOT_ALLOWED, AGENT_NOT_ALLOWED, UNAUTHENTICATED or TOO_MANY_REQUESTS.
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
