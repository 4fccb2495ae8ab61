/** A place in a trace, as W3C Trace Context writes it in headers. */
export interface TraceContext {
  /** Of version 00. */
  readonly traceparent: string;
  /** What tracers keep for themselves. Empty: nothing. */
  readonly tracestate: string;
}

const PARENT =
  /^(?!ff)(?<version>[0-9a-f]{2})-(?<place>(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(?<more>-[!-~]{0,128})?$/;
/** What everyone has to pass on; what is longer may be left out. */
const STATE_UNITS = 512;
const STATE = /^[\t -~]+$/;

/**
 * The trace that a request is part of. Undefined: none, or what says so is malformed, or came twice: whoever asks is never
 * refused for it.
 */
export function traceContextOf(headers: Pick<Headers, "get">): TraceContext | undefined {
  const found = PARENT.exec(headers.get("traceparent")?.trim() ?? "");
  if (found === null) return undefined;
  const { version, place, more } = found.groups!;
  // A later version may say more, which its readers alone understand.
  if (version === "00" && more !== undefined) return undefined;
  const state = headers.get("tracestate")?.trim() ?? "";
  const isFit = state.length <= STATE_UNITS && STATE.test(state);
  return { traceparent: `00-${place}`, tracestate: isFit ? state : "" };
}
