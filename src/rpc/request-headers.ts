import type { HttpRequest } from "../edge/http.ts";
import { wireFormatOf } from "./wire-format.ts";

/** The furthest that a timer reaches; one that is set for later fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Longer than every value that the framework knows: what is cut to it is as wrong as it was. */
const TOLD_LENGTH = 64;
/** Of no case, by RFC 9110, and told in the error where they are unknown. */
const ENCODINGS = ["content-encoding", "connect-content-encoding", "grpc-encoding"];
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1 };

/** A request's headers as the framework takes them: it is strict about case, trusting about time, and repeats them in errors. */
export function headersOf(request: HttpRequest): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    for (const item of typeof value === "string" ? [value] : value) headers.append(name, item);
  }
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

/** Whether a deadline is to be kept here; one that no timer reaches is the client's own to keep. What is malformed is told so. */
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
