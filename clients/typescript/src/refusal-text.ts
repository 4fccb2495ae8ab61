import { Code, ConnectError } from "@connectrpc/connect";
import { isAnswer } from "./call-failure.ts";
import { errorInfoOf, retryDelayMsOf, violationsOf } from "./error-info.ts";
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
  const info = errorInfoOf(error);
  const code = codeName(error.code);
  // A reason that is only the code's name says nothing more.
  const reason = info === undefined || info.reason === code ? "" : ` ${info.reason}`;
  const message = `${code}${reason}: ${error.rawMessage || "no message"}`;
  const hint = isNoHttp2(error) ? ": what answers there does not speak HTTP/2" : "";
  const lines = [connectionFailure(error) ?? `${message}${hint}`];
  for (const [key, value] of Object.entries(info?.metadata ?? {})) lines.push(`${key}: ${value}`);
  for (const { field, description } of violationsOf(error)) lines.push(`${field}: ${description}`);
  const retryDelayMs = retryDelayMsOf(error);
  if (retryDelayMs !== undefined) lines.push(`try again in ${retryDelayMs / 1000} s`);
  return lines;
}

/**
 * Whether the connection was closed in the middle of a call. How the libraries tell it is chance: in the words for a call that
 * was canceled, or, where bytes of ours were not read before the other side closed, in those of the system.
 */
export function isClosedConnection(error: unknown): boolean {
  if (!(error instanceof ConnectError) || isAnswer(error)) return false;
  return /^http\/2 stream closed with error code CANCEL|\b(ECONNRESET|EPIPE)\b/.test(
    error.rawMessage,
  );
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
  const { code } = (cause ?? {}) as { readonly code?: unknown };
  return code === "ERR_HTTP2_ERROR" && rawMessage === "Protocol error";
}

function codeName(code: Code): string {
  const name = Code[code] ?? String(code);
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
