import { createHash, timingSafeEqual } from "node:crypto";
import type { HttpRequest } from "../edge/http.ts";
import { leaveUnread } from "../edge/unread-request.ts";
import { Refusal } from "../errors.ts";
import type { Call } from "../rpc/request-listener.ts";
import { allowMethods } from "./allow-methods.ts";
import { INERT_HEADERS } from "./inert-headers.ts";
import { Problem } from "./problem.ts";

/** A server's metrics, and who may read them. */
export interface ServedMetrics {
  /** In Prometheus' text format. */
  read(): Promise<string>;
  /** `open`: whoever reaches the server by its own name; `callers`: whoever may call it, and the token's bearer. */
  readonly readers: "callers" | "open";
  /** SHA-256 of a token that opens the metrics and nothing else. Undefined: there is none. */
  readonly tokenHash: Buffer | undefined;
}

/**
 * Answers with the server's metrics.
 *
 * @param metrics - Undefined: it keeps none.
 * @param admit - Admits the request as a call's, or throws why not.
 * @throws Refusal, Problem.
 */
export async function respondMetrics(
  metrics: ServedMetrics | undefined,
  { request, response, refusal, admitted }: Call,
  admit: () => unknown,
): Promise<void> {
  if (metrics === undefined) throw new Problem(404, "this server keeps no metrics");
  if (refusal !== undefined) throw new Refusal("ORIGIN_NOT_ALLOWED", refusal.message);
  const { tokenHash, readers } = metrics;
  if (tokenHash !== undefined && bears(tokenHash, request)) admitted();
  else if (readers === "callers") await admit();
  allowMethods(request, ["GET", "HEAD"]);
  const text = await metrics.read();
  await leaveUnread(request, response);
  response.writeHead(200, {
    "content-type": "text/plain; version=0.0.4; charset=utf-8",
    "cache-control": "no-store",
    ...INERT_HEADERS,
  });
  response.end(text);
}

/** Of two Authorization headers nobody can say which a proxy has looked at: neither counts. */
function bears(hash: Buffer, { rawHeaders }: HttpRequest): boolean {
  const values = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "authorization",
  );
  const token = values.length === 1 ? /^Bearer +([!-~]+) *$/i.exec(values[0]!)?.[1] : undefined;
  return token !== undefined && timingSafeEqual(createHash("sha256").update(token).digest(), hash);
}
