import { createHash, timingSafeEqual } from "node:crypto";
import { leaveUnread } from "../edge/unread-request.ts";
import { Refusal } from "../errors.ts";
import { authorizationOf } from "../rpc/admission.ts";
import type { Call } from "../rpc/request-listener.ts";
import { allowMethods } from "./allow-methods.ts";
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
  if (tokenHash !== undefined && bears(tokenHash, authorizationOf(request))) admitted();
  else if (readers === "callers") admit();
  allowMethods(request, ["GET", "HEAD"]);
  const text = await metrics.read();
  await leaveUnread(request, response);
  response.writeHead(200, {
    "content-type": "text/plain; version=0.0.4; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}

function bears(hash: Buffer, authorization: string | null): boolean {
  const token = /^Bearer +([!-~]+) *$/i.exec(authorization ?? "")?.[1];
  return token !== undefined && timingSafeEqual(createHash("sha256").update(token).digest(), hash);
}
