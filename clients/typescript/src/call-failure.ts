import { Code, ConnectError } from "@connectrpc/connect";
import { isOwnClose } from "./connection-closed.ts";
import { retryDelayMsOf } from "./error-info.ts";
import { SequenceGapError } from "./turn-place.ts";

/** What a failed call means for trying again. */
export interface CallFailure {
  /** How many times in a row, without progress, it is worth trying again; 0: never. */
  readonly retries: number;
  /** The server asked to be left alone for so long. */
  readonly leastDelayMs: number;
}

const DOUBTFUL_RETRIES = 5;
const GAP_RETRIES = 1;

/**
 * Tells whether trying again can mend a failure of a stream: RunTurn, AttachTurn, WatchSession or WatchTurns.
 *
 * Whom an error comes from decides before its code does: the transports give a broken connection nearly every code that a
 * server has for a refusal.
 */
export function callFailureOf(error: unknown): CallFailure {
  const leastDelayMs = error instanceof ConnectError ? retryDelayMsOf(error) : undefined;
  return { retries: retriesOf(error, leastDelayMs !== undefined), leastDelayMs: leastDelayMs ?? 0 };
}

/** Whether somebody who speaks the protocol answered: then it is known what became of the call. */
export function isAnswer(error: unknown): boolean {
  return error instanceof ConnectError && error.isWireError;
}

function retriesOf(error: unknown, isToldToRetry: boolean): number {
  // The log itself cannot have a hole: what came over the connection was not all. A second time it is the server.
  if (error instanceof SequenceGapError) return GAP_RETRIES;
  // StreamCutError and SilenceError.
  if (!(error instanceof ConnectError)) return Number.POSITIVE_INFINITY;
  if (isOwnClose(error)) return 0;
  if (isToldToRetry) return Number.POSITIVE_INFINITY;
  return isAnswer(error) ? retriesOfAnswer(error.code) : retriesOfTransport(error.code);
}

/** What a server, or a proxy that speaks its protocol, said. */
function retriesOfAnswer(code: Code): number {
  switch (code) {
    // DRAINING, STREAM_ENDED, STORAGE and FENCED; and a proxy that finds no server behind it.
    case Code.Unavailable:
    // A proxy's time limit for a call, or a deadline of the transport's. The turn goes on.
    case Code.DeadlineExceeded:
    // A proxy that lost its own connection to the server; a server that took this client for gone.
    case Code.Aborted:
    case Code.Canceled:
      return Number.POSITIVE_INFINITY;
    // "internal error" is a defect of the server, and may be one of the moment; Unknown is what a proxy says of its own.
    case Code.Internal:
    case Code.Unknown:
      return DOUBTFUL_RETRIES;
    // What is asked is refused, and would be again. RESOURCE_EXHAUSTED without RetryInfo is a message that is too large.
    default:
      return 0;
  }
}

/** What the transport made of an answer or a connection that was none. */
function retriesOfTransport(code: Code): number {
  switch (code) {
    // HTTP 401, 403 and 404 or a method that a server lacks: somebody answered, and will say the same again.
    case Code.Unauthenticated:
    case Code.PermissionDenied:
    case Code.Unimplemented:
      return 0;
    // ENHANCE_YOUR_CALM, which passes, and a message above the transport's `readMaxBytes`, which does not.
    case Code.ResourceExhausted:
      return DOUBTFUL_RETRIES;
    // A connection that broke or never was. connect-node: ECONNREFUSED and its like are Unavailable, ECONNRESET is Aborted,
    // RST_STREAM is Canceled, Unavailable or Internal, an answer without its trailers Internal, one that ends in a message
    // InvalidArgument. connect-web: Unknown, whatever broke ("Failed to fetch", "network error", "missing trailer").
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** Whether a server said that there is no such thing, or none that the caller may see. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ConnectError && isAnswer(error) && error.code === Code.NotFound;
}

/** Whether a server refused what was asked, and would again. */
export function isRefusal(error: unknown): boolean {
  return isAnswer(error) && callFailureOf(error).retries === 0;
}
