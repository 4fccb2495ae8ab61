import { createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import type { HttpRequest } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";
import { Refusal } from "../errors.ts";
import type { Origins, RequestOrigin } from "./origins.ts";
import type { Tokens } from "./tokens.ts";

/** Everyone, where the server knows no tokens: only this machine can reach it then. */
const LOCAL_PRINCIPAL = "local";

const principalKey = createContextKey<string | undefined>(undefined);
const originKey = createContextKey<RequestOrigin | undefined>(undefined);
const authorizationKey = createContextKey<string | null>(null);
const admittedKey = createContextKey<() => void>(() => {});
const readerKey = createContextKey<Reader | undefined>(undefined);

/** Where a request comes from. */
export function requestOriginOf(context: Pick<HandlerContext, "values">): RequestOrigin {
  return context.values.get(originKey) ?? { host: undefined, origin: null };
}

/** Who calls, as `admit` established it. */
export function principalOf(context: Pick<HandlerContext, "values">): string {
  const principal = context.values.get(principalKey);
  if (principal === undefined) throw new Error("a request reached its handler without admission");
  return principal;
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
 */
export function contextValuesOf(
  request: HttpRequest,
  origin: RequestOrigin,
  reader: Reader,
  admitted: () => void,
) {
  return createContextValues()
    .set(originKey, origin)
    .set(authorizationKey, authorizationOf(request))
    .set(readerKey, reader)
    .set(admittedKey, admitted);
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
  const from = request.socket.remoteAddress;
  return { host, origin: typeof origin === "string" ? origin : null, from };
}

/**
 * Lets a request through to its handler, before any of its body is read, or refuses it.
 *
 * @throws Refusal ORIGIN_NOT_ALLOWED or UNAUTHENTICATED.
 */
export function admit(context: HandlerContext, origins: Origins, tokens: Tokens | undefined): void {
  const origin = requestOriginOf(context);
  const refusal = origins.refusalOf(origin);
  if (refusal !== undefined) throw new Refusal("ORIGIN_NOT_ALLOWED", refusal);
  const principal =
    tokens === undefined
      ? LOCAL_PRINCIPAL
      : tokens.principalOf(context.values.get(authorizationKey));
  if (principal === undefined) {
    throw new Refusal(
      "UNAUTHENTICATED",
      "the request carries no bearer token that this server knows",
    );
  }
  context.values.set(principalKey, principal);
  context.values.get(admittedKey)();
}
