import type { HttpRequest } from "../edge/http.ts";
import { MAX_TIMER_MS } from "../stream/long-timer.ts";
import { wireFormatOf } from "./wire-format.ts";

/** Longer than every value that the framework knows: what is cut to it is as wrong as it was. */
const TOLD_LENGTH = 64;
/** Of no case, by RFC 9110, and told in the error where they are unknown. */
const ENCODINGS = ["content-encoding", "connect-content-encoding", "grpc-encoding"];
/** The most milliseconds that `grpc-timeout` has digits for. Of what is longer some seconds make no difference. */
const MOST_SHORTENED_MS = 99_999_999;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1 };

/**
 * A request's headers as the framework takes them: it is strict about case, trusting about time, and repeats them in errors.
 * A deadline that none of its timers reaches is left out: see {@link farDeadlineOf}.
 *
 * @param instead - What the request says elsewhere, in place of its headers of those names.
 */
export function headersOf(
  request: HttpRequest,
  instead: Readonly<Record<string, string>> = {},
): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    for (const item of typeof value === "string" ? [value] : value) headers.append(name, item);
  }
  for (const [name, value] of Object.entries(instead)) headers.set(name, value);
  headers.set("content-type", wireFormatOf(headers.get("content-type"))?.mediaType ?? "unknown");
  // Of the body as it came, which is not the one that the framework reads.
  headers.delete("content-length");
  for (const name of ENCODINGS) change(headers, name, (text) => told(text.toLowerCase()));
  change(headers, "grpc-timeout", (text) => (isReached(grpcTimeoutMs(text)) ? told(text) : null));
  change(headers, "connect-timeout-ms", (text) =>
    isReached(connectTimeoutMs(text)) ? told(text) : null,
  );
  return headers;
}

/** A deadline that is further than a timer reaches, in milliseconds from now. Undefined: there is none, or a nearer one. */
export function farDeadlineOf({ headers }: HttpRequest): number | undefined {
  const texts = [headers["grpc-timeout"], headers["connect-timeout-ms"]];
  const [grpc, connect] = texts.map((text) => (typeof text === "string" ? text : ""));
  // Whichever protocol it is: the other's header has no place in it.
  const ms = Math.max(grpcTimeoutMs(grpc!) || 0, connectTimeoutMs(connect!) || 0);
  return isReached(ms) ? undefined : ms;
}

/**
 * What is left of a deadline, in its header's value, when so much of its time is over. What is malformed stays, and what is in
 * units below a millisecond.
 */
export function timeLeft(name: string, text: string, elapsedMs: number): string {
  const isGrpc = name === "grpc-timeout";
  const ms = isGrpc ? grpcTimeoutMs(text) : connectTimeoutMs(text);
  const left = Math.max(1, Math.ceil(ms - elapsedMs));
  if (!(ms > 0) || left > MOST_SHORTENED_MS) return text;
  return isGrpc ? `${left}m` : String(left);
}

/** The deadline that a request's headers name, in milliseconds from when they were sent. Undefined: none, or one below a millisecond. */
export function deadlineOf({ headers }: Pick<HttpRequest, "headers">): number | undefined {
  const [grpc, connect] = ["grpc-timeout", "connect-timeout-ms"].map((name) => headers[name]);
  const ms = typeof grpc === "string" ? grpcTimeoutMs(grpc) : connectTimeoutMs(String(connect));
  return ms > 0 ? ms : undefined;
}

/** @param to - Null: without it. */
function change(headers: Headers, name: string, to: (value: string) => string | null): void {
  const value = headers.get(name);
  if (value === null) return;
  const changed = to(value);
  if (changed === null) headers.delete(name);
  else headers.set(name, changed);
}

function told(value: string): string {
  return value.slice(0, TOLD_LENGTH);
}

/** Whether the framework keeps a deadline. What is malformed is told so. */
function isReached(timeoutMs: number): boolean {
  return !(timeoutMs > MAX_TIMER_MS);
}

/** NaN for what is none. */
function connectTimeoutMs(text: string): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
}

/** NaN for what is none, and 0 for units that make no difference here. */
function grpcTimeoutMs(text: string): number {
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  return Number(digits) * (UNIT_MS[unit] ?? 0);
}
