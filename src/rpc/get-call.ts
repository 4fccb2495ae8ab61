import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";

/** The message of a call by GET, as a POST would have it. */
export interface GetCall {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * Reads a call by Connect's GET, whose query has the message. Undefined: the method is one that changes something, which
 * nobody calls so. What a query lacks is refused like the POST that lacks it.
 */
export function getCallOf(method: DescMethod, url: URL): GetCall | undefined {
  if (method.idempotency !== Idempotency.NO_SIDE_EFFECTS) return undefined;
  const query = url.searchParams;
  const message = query.get("message") ?? "";
  const isBase64 = query.get("base64") === "1";
  const encoding = query.get("encoding");
  return {
    headers: {
      "content-type": `application/${encoding ?? "unknown"}`,
      "content-encoding": query.get("compression") ?? "identity",
    },
    body: Buffer.from(message, isBase64 ? "base64url" : "utf8"),
  };
}
