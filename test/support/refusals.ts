import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";

/** What a refusal tells a program. */
export interface RefusalSeen {
  /** The code's name, such as `NotFound`. */
  readonly code: string | undefined;
  readonly reason?: string;
  readonly domain?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** The fields that `BadRequest` names. */
  readonly fields?: readonly string[];
  readonly retryMs?: number;
}

/** How a call, or a stream that is read to its end, is refused. Rejects where it is not. */
export async function refusalOf(
  call: Promise<unknown> | AsyncIterable<unknown>,
): Promise<RefusalSeen> {
  try {
    if (Symbol.asyncIterator in call) await Array.fromAsync(call);
    else await call;
  } catch (error) {
    return seen(ConnectError.from(error));
  }
  throw new Error("the call was not refused");
}

function seen(error: ConnectError): RefusalSeen {
  const [info] = error.findDetails(ErrorInfoSchema);
  const [badRequest] = error.findDetails(BadRequestSchema);
  const [retry] = error.findDetails(RetryInfoSchema);
  const metadata = info?.metadata ?? {};
  return {
    code: Code[error.code],
    ...(info && { reason: info.reason, domain: info.domain }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(badRequest && { fields: badRequest.fieldViolations.map(({ field }) => field) }),
    ...(retry?.retryDelay && { retryMs: durationMs(retry.retryDelay) }),
  };
}
