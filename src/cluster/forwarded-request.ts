import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { timeLeft } from "../rpc/request-headers.ts";
import type { ReceivedCall } from "../rpc/routing.ts";
import { CALLER_HEADER, writeCaller } from "./forwarded-caller.ts";

/**
 * What of a request's headers is between the client and the first replica alone: the connection, the host, where a page comes
 * from, and all that was shown to be let in.
 */
const OWN_HEADERS = new Set([
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"],
  ...["http2-settings", "expect", "content-length", "host", "origin", "referer"],
  ...["authorization", "proxy-authorization", "cookie", CALLER_HEADER],
]);
const DEADLINES = ["grpc-timeout", "connect-timeout-ms"];
/** The trailer by which a replica says that an answer is whole. Node ends what it resets, and so may break off a stream without a word. */
export const END_TRAILER = "breakglass-cluster-end";
/** What of a response's is between the two replicas. */
const OWN_ANSWER_HEADERS = new Set([
  ...["date", "connection", "keep-alive", "transfer-encoding"],
  END_TRAILER,
]);

/** The headers of a request that is handed on, at the moment. */
export function forwardedHeaders({
  request,
  caller,
  path,
  since,
}: Pick<ReceivedCall, "request" | "caller" | "path" | "since">): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (!name.startsWith(":") && !OWN_HEADERS.has(name)) headers[name] = value;
  }
  const elapsedMs = performance.now() - since;
  for (const name of DEADLINES) {
    const text = headers[name];
    if (typeof text === "string") headers[name] = timeLeft(name, text, elapsedMs);
  }
  return {
    ...headers,
    ":method": request.method ?? "POST",
    ":path": path,
    ":scheme": "https",
    ":authority": "replica",
    te: "trailers",
    [CALLER_HEADER]: writeCaller(caller),
  };
}

/** Headers or trailers of an answer, as a client is given them. */
export function answerHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    if (name.startsWith(":") || OWN_ANSWER_HEADERS.has(name) || value === undefined) return [];
    return [[name, typeof value === "string" ? value : value.join(", ")]];
  });
  return Object.fromEntries(kept);
}
