import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { isAnswer } from "./call-failure.ts";
import { SilenceError } from "./stream-call.ts";
import { StreamCutError } from "./turn-events.ts";
import { SequenceGapError } from "./turn-place.ts";

const TURN_ID = /^[0-9a-f-]{36}$/;

/**
 * Tells what a failed call means, a fact a line, the first with code, reason and message: `FAILED_PRECONDITION TURN_IN_PROGRESS: …`.
 * Undefined for an error that is not a call's.
 */
export function refusalLines(error: unknown): string[] | undefined {
  const isOurs = [StreamCutError, SilenceError, SequenceGapError].some((c) => error instanceof c);
  if (isOurs) return [(error as Error).message];
  if (!(error instanceof ConnectError)) return undefined;
  const info = error.findDetails(ErrorInfoSchema)[0];
  const code = codeName(error.code);
  // A reason that is only the code's name says nothing more.
  const reason = info === undefined || info.reason === code ? "" : ` ${info.reason}`;
  const message = `${code}${reason}: ${error.rawMessage || "no message"}`;
  const hint = isNoHttp2(error) ? ": what answers there does not speak HTTP/2" : "";
  const lines = [connectionFailure(error) ?? `${message}${hint}`];
  for (const [key, value] of Object.entries(info?.metadata ?? {})) lines.push(`${key}: ${value}`);
  for (const { fieldViolations } of error.findDetails(BadRequestSchema)) {
    for (const { field, description } of fieldViolations) lines.push(`${field}: ${description}`);
  }
  for (const { retryDelay } of error.findDetails(RetryInfoSchema)) {
    if (retryDelay !== undefined) lines.push(`try again in ${durationMs(retryDelay) / 1000} s`);
  }
  return lines;
}

/**
 * Whether the connection was closed in the middle of a call: the libraries tell that in the words for one that was canceled.
 */
export function isClosedConnection(error: unknown): boolean {
  if (!(error instanceof ConnectError) || isAnswer(error)) return false;
  return error.rawMessage.startsWith("http/2 stream closed with error code CANCEL");
}

/** The id of the turn because of which a call was refused, where that is why. */
export function turnInTheWay(error: unknown): string | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const [info] = error.findDetails(ErrorInfoSchema);
  const turnId = info?.reason === "TURN_IN_PROGRESS" ? info.metadata.turn_id : undefined;
  return turnId !== undefined && TURN_ID.test(turnId) ? turnId : undefined;
}

/** What the libraries have no words for. Undefined: they say what it is. */
function connectionFailure(error: ConnectError): string | undefined {
  if (isClosedConnection(error))
    return "UNAVAILABLE: the connection was closed before the call was over";
  const isNoTls = /SSL routines.*(wrong version number|packet length too long)/.test(
    error.rawMessage,
  );
  return isNoTls
    ? "UNAVAILABLE: what answers there does not speak TLS; without it a URL begins with http:"
    : undefined;
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
