import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { SilenceError } from "./stream-call.ts";
import { StreamCutError } from "./turn-events.ts";
import { SequenceGapError } from "./turn-place.ts";

/**
 * Tells what a failed call means, a fact a line, the first with code, reason and message: `FAILED_PRECONDITION TURN_IN_PROGRESS: …`.
 * Undefined for an error that is not a call's.
 */
export function refusalLines(error: unknown): string[] | undefined {
  const isOurs = [StreamCutError, SilenceError, SequenceGapError].some((c) => error instanceof c);
  if (isOurs) return [(error as Error).message];
  if (!(error instanceof ConnectError)) return undefined;
  const info = error.findDetails(ErrorInfoSchema)[0];
  const reason = info === undefined ? "" : ` ${info.reason}`;
  const message = error.rawMessage || "no message";
  const hint = isNoHttp2(error) ? ": what answers there does not speak HTTP/2" : "";
  const lines = [`${codeName(error.code)}${reason}: ${message}${hint}`];
  for (const [key, value] of Object.entries(info?.metadata ?? {})) lines.push(`${key}: ${value}`);
  for (const { fieldViolations } of error.findDetails(BadRequestSchema)) {
    for (const { field, description } of fieldViolations) lines.push(`${field}: ${description}`);
  }
  for (const { retryDelay } of error.findDetails(RetryInfoSchema)) {
    if (retryDelay !== undefined) lines.push(`try again in ${durationMs(retryDelay) / 1000} s`);
  }
  return lines;
}

/** Node's own words for bytes that are no frames: a proxy's HTML, HTTP/1.1, TLS where none was asked for. */
function isNoHttp2({ cause, rawMessage }: ConnectError): boolean {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return code === "ERR_HTTP2_ERROR" && rawMessage === "Protocol error";
}

function codeName(code: Code): string {
  const name = Code[code] ?? String(code);
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
