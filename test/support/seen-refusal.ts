import { type Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";

/** What a caller learns of a refusal. */
export interface SeenRefusal {
  readonly code: Code;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: readonly string[];
  readonly retry: boolean;
}

/** The refusal that a call ends with; it is an error if it does not. */
export async function refusalOf(call: Promise<unknown>): Promise<SeenRefusal> {
  const error = await call.then(
    () => new Error("the call was not refused"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw error;
  const [info] = error.findDetails(ErrorInfoSchema);
  return {
    code: error.code,
    reason: info?.reason,
    domain: info?.domain,
    metadata: info?.metadata ?? {},
    fields: error
      .findDetails(BadRequestSchema)
      .flatMap((detail) => detail.fieldViolations.map((violation) => violation.field)),
    retry: error.findDetails(RetryInfoSchema).length > 0,
  };
}
