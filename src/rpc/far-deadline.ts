import { Code, ConnectError } from "@connectrpc/connect";
import type { HttpRequest, HttpResponse } from "../edge/http.ts";
import { afterLong } from "../stream/long-timer.ts";
import { farDeadlineOf } from "./request-headers.ts";

/**
 * A signal that also aborts when a deadline passes that is further than the framework's timers reach: it would end the
 * call at once.
 *
 * @param signal - What ends the call anyway, and is answered where there is no such deadline.
 */
export function deadlineSignal(
  request: HttpRequest,
  response: HttpResponse,
  signal: AbortSignal,
): AbortSignal {
  const ms = farDeadlineOf(request);
  if (ms === undefined) return signal;
  const late = new AbortController();
  const error = () => new ConnectError("the operation timed out", Code.DeadlineExceeded);
  response.once(
    "close",
    afterLong(ms, () => late.abort(error())),
  );
  return AbortSignal.any([signal, late.signal]);
}
