import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import type { StatusText } from "./case.ts";

/** The status that a file means, as a server sends it. */
export function statusOf({
  code,
  reason,
  metadata = {},
  retry_delay_ms,
  violations,
}: StatusText): ConnectError {
  const error = new ConnectError(`by the kit: ${reason ?? code}`, codeOf(code));
  if (reason !== undefined) {
    const value = { reason, metadata, domain: "breakglass" };
    error.details.push({ desc: ErrorInfoSchema, value });
  }
  if (retry_delay_ms !== undefined) {
    const value = { retryDelay: durationFromMs(retry_delay_ms) };
    error.details.push({ desc: RetryInfoSchema, value });
  }
  if (violations !== undefined) {
    error.details.push({ desc: BadRequestSchema, value: { fieldViolations: violations } });
  }
  return error;
}

/** @param name - As gRPC has it: `FAILED_PRECONDITION`, and `CANCELLED` with two L. */
function codeOf(name: string): Code {
  const wanted = name.replaceAll("_", "").replace("CANCELLED", "CANCELED");
  const found = Object.entries(Code).find(([key]) => key.toUpperCase() === wanted);
  if (found === undefined) throw new Error(`there is no code ${name}`);
  return found[1] as Code;
}
