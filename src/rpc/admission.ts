import { createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import type { HttpRequest, HttpResponse } from "../edge/http.ts";
import { peerOfRequest } from "../edge/peer.ts";
import type { Reader } from "../edge/reader.ts";
import { Refusal } from "../errors.ts";
import type { AgentAttempt } from "../identity/agent-attempts.ts";
import type { Presented, Verdict } from "../identity/authenticator.ts";
import { bearerOf } from "../identity/bearer.ts";
import type { Caller } from "../identity/caller.ts";
import type { PeerProcess } from "../identity/peer-process.ts";
import type { RefusedSignIn } from "../identity/refused-sign-ins.ts";
import type { SignIn } from "../identity/sign-in.ts";
import { sha256, tokenId } from "../identity/token-line.ts";
import type { OriginRefusal, RequestOrigin } from "./origins.ts";
import type { Peers } from "./peers.ts";

/** Whether a request may be made: by whom, or why not. */
export type Admission =
  | { readonly caller: Caller }
  | {
      readonly refusal: Refusal;
      /** Of one that is refused for who makes it; for the operator alone. */
      readonly signIn?: RefusedSignIn;
      /** Of one that an agent made. */
      readonly byAgent?: AgentAttempt;
    };

/** Who asks without a token for what anyone may know. No principal's name has a space. */
const PROBE: Caller = { name: "a probe", roles: [], means: "local", address: "" };

/** The same, whatever was wrong: what is known of credentials is not told to who has none. */
const NOBODY = "the request carries no credential that this server accepts";

/** When somebody who left too many requests may make one again. */
const RETRY_MS = 1000;

const callerKey = createContextKey<Caller | undefined>(undefined);
const admissionKey = createContextKey<Admission | undefined>(undefined);
const admittedKey = createContextKey<() => void>(() => {});
const refusedKey = createContextKey<() => Promise<void>>(async () => {});
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
 * @param refused - Is called where it is not; resolves when it may be answered.
 */
export function contextValuesOf(
  admission: Admission,
  reader: Reader,
  admitted: () => void,
  refused: () => Promise<void>,
) {
  return createContextValues()
    .set(admissionKey, admission)
    .set(readerKey, reader)
    .set(admittedKey, admitted)
    .set(refusedKey, refused);
}

/**
 * Decides on a request by its headers and its connection. At once wherever nothing has to be waited for.
 *
 * @param stranger - Why it is refused for where it comes from; undefined: it is not.
 */
export type Admissions = (
  request: HttpRequest,
  stranger: OriginRefusal | undefined,
) => Admission | Promise<Admission>;

/**
 * What decides on requests.
 *
 * @param signIn - Tells who makes one.
 * @param peers - Tell which process makes it: a connection's first request waits for that.
 * @param isOver - Whether a principal left too many requests before they were answered.
 */
export function admissionsBy(
  signIn: Pick<SignIn, "identify">,
  peers: Pick<Peers, "of" | "establish">,
  isOver: (principal: string) => boolean,
): Admissions {
  const decideOn = (request: HttpRequest, process: PeerProcess) => {
    const presented = presentedBy(request, process);
    const verdict = signIn.identify(presented);
    const decide = (found: Verdict): Admission => {
      const refusal = agentRefusal(process);
      if (refusal === undefined) return admissionOf(found, presented, isOver);
      const byAgent = attemptOf(process, found, presented);
      return byAgent === undefined ? { refusal } : { refusal, byAgent };
    };
    return verdict instanceof Promise ? verdict.then(decide) : decide(verdict);
  };
  const lookFor = (request: HttpRequest) =>
    peers.establish(request).then((found) => decideOn(request, found));
  /** A look takes longer than all else: who shows what is wrong is not looked for, and so keeps nobody waiting who is. */
  const decideFirst = (request: HttpRequest) => {
    const presented = presentedBy(request, undefined);
    const verdict = signIn.identify(presented);
    const decide = (found: Verdict) =>
      isFinal(found) ? admissionOf(found, presented, isOver) : lookFor(request);
    return verdict instanceof Promise ? verdict.then(decide) : decide(verdict);
  };
  return (request, stranger) => {
    if (stranger !== undefined) {
      return { refusal: new Refusal("ORIGIN_NOT_ALLOWED", stranger.message) };
    }
    const process = peers.of(request);
    return process === undefined ? decideFirst(request) : decideOn(request, process);
  };
}

/** Whether a request that was admitted would be again, for the same principal with the same roles. */
export async function isAdmittedAgain(
  decided: Admission | Promise<Admission>,
  { name, roles }: Caller,
): Promise<boolean> {
  const again = await decided;
  if ("refusal" in again) return again.refusal.reason === "TOO_MANY_REQUESTS";
  const now = new Set(again.caller.roles);
  return (
    again.caller.name === name && now.size === roles.length && roles.every((one) => now.has(one))
  );
}

/** Whether who somebody is can make no difference any more to what is decided on a request. */
function isFinal(verdict: Verdict): boolean {
  return "failure" in verdict && verdict.failure.isByProcess !== true;
}

function attemptOf(
  process: PeerProcess,
  verdict: Verdict,
  { peer, valuesOf }: Presented,
): AgentAttempt | undefined {
  if (process.kind !== "agent") return undefined;
  const { processId } = process;
  const { address } = peer;
  if (!("principal" in verdict)) return { processId, address };
  const { name: principal, means } = verdict.principal;
  const token = means === "token" ? bearerOf(valuesOf("authorization")[0] ?? "") : undefined;
  const id = token === undefined ? {} : { tokenId: tokenId({ hash: sha256(token) }) };
  return { processId, address, principal, means, ...id };
}

/** An agent is not its operator, and must not approve what it asked for: no credential that it has come by counts. */
export function agentRefusal(process: PeerProcess): Refusal | undefined {
  if (process.kind === "agent") {
    const message = "a process of an agent may not call the server, whatever token it sends";
    return new Refusal("AGENT_NOT_ALLOWED", message);
  }
  if (process.kind !== "unknown" || process.when === "always") return undefined;
  const message = `it cannot be told whether an agent makes this call (${process.why}): make it again`;
  return new Refusal("AGENT_NOT_ALLOWED", message);
}

/**
 * Goes on with what was decided on a request: at once where that is known, for what sees to requests that are left. Of one
 * whose client left meanwhile nothing more is done.
 */
export function whenAdmitted(
  admission: Admission | Promise<Admission>,
  response: HttpResponse,
  goOn: (admission: Admission) => void,
  fail: (error: unknown) => void,
): void {
  if (!(admission instanceof Promise)) {
    goOn(admission);
    return;
  }
  let isGone = false;
  response.once("close", () => {
    isGone = true;
  });
  admission.then((found) => isGone || goOn(found)).catch(fail);
}

function admissionOf(
  verdict: Verdict,
  { peer }: Presented,
  isOver: (principal: string) => boolean,
): Admission {
  if ("failure" in verdict) {
    const signIn = { ...verdict.failure, peer };
    return { refusal: new Refusal("UNAUTHENTICATED", verdict.failure.told ?? NOBODY), signIn };
  }
  const { principal } = verdict;
  if (!isOver(principal.name)) return { caller: { ...principal, address: peer.address } };
  const message = "too many requests of this principal were reset before they were answered";
  return { refusal: new Refusal("TOO_MANY_REQUESTS", message, { retryAfterMs: RETRY_MS }) };
}

/** By what somebody can be told. Headers as they came: two of a name stay two. */
function presentedBy(request: HttpRequest, process: PeerProcess | undefined): Presented {
  const { rawHeaders } = request;
  return {
    peer: peerOfRequest(request),
    process,
    valuesOf: (name) =>
      rawHeaders.filter(
        (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name,
      ),
  };
}

/** Where a request for a host comes from. */
export function originOf(request: HttpRequest, host: string): RequestOrigin {
  const { origin } = request.headers;
  return { host, origin: typeof origin === "string" ? origin : null };
}

/**
 * Lets a request through to its handler, before any of its body is read, or refuses it, in its time.
 *
 * @throws Refusal ORIGIN_NOT_ALLOWED, AGENT_NOT_ALLOWED, UNAUTHENTICATED or TOO_MANY_REQUESTS.
 */
export async function admit(context: Pick<HandlerContext, "values" | "method">): Promise<void> {
  const admission = context.values.get(admissionKey);
  if (admission === undefined) throw new Error("a request came without its admission");
  if ("refusal" in admission) {
    const { refusal } = admission;
    if (!isOpenToProbes(context, refusal)) {
      await context.values.get(refusedKey)();
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
