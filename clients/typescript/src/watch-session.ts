import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  WatchSessionRequestSchema,
  WatchSessionResponse,
} from "../../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { BreakglassClient } from "./breakglass-client.ts";
import { closingOf } from "./connection-closed.ts";
import {
  type Reading,
  type ResumingStream,
  resume,
  type StreamOptions,
  type Taken,
} from "./resuming-stream.ts";
import { StreamCutError } from "./turn-events.ts";

/**
 * Watches a session over as many connections as that takes: every change once and in order, from after `after_cursor`.
 * It has no end of its own.
 *
 * Messages without a change read as of one stream too: `caught_up` is said once, and those that say that the server is there
 * still all pass.
 *
 * Leaving the loop (or `return`) and `signal` end the call and every wait at once.
 *
 * @throws ConnectError where the server refuses for good, as where the session is deleted, or was not reached for as long as
 * `backOff` says: the last failure. Likewise StreamCutError and SilenceError. The reason of `signal` where that aborts.
 */
export function watchSession(
  client: BreakglassClient,
  request: MessageInitShape<typeof WatchSessionRequestSchema>,
  options: StreamOptions = {},
): ResumingStream<WatchSessionResponse> {
  return resume(new SessionReading(client, request), options);
}

class SessionReading implements Reading<WatchSessionResponse, WatchSessionResponse> {
  readonly closing: AbortSignal | undefined;
  readonly #client: BreakglassClient;
  readonly #request: MessageInitShape<typeof WatchSessionRequestSchema>;
  #cursor: bigint;
  #isCaughtUp = false;

  constructor(
    client: BreakglassClient,
    request: MessageInitShape<typeof WatchSessionRequestSchema>,
  ) {
    this.closing = closingOf(client);
    this.#client = client;
    this.#request = request;
    this.#cursor = request.afterCursor ?? 0n;
  }

  open(signal: AbortSignal): AsyncIterable<WatchSessionResponse> {
    return this.#client.watchSession({ ...this.#request, afterCursor: this.#cursor }, { signal });
  }

  take(message: WatchSessionResponse): Taken<WatchSessionResponse> {
    const isNew = message.cursor > this.#cursor;
    const isAlive = message.change.case === undefined && !message.caughtUp;
    const isCatchingUp = message.caughtUp && !this.#isCaughtUp;
    if (isNew) this.#cursor = message.cursor;
    this.#isCaughtUp ||= message.caughtUp;
    const passes = isNew || isAlive || isCatchingUp;
    return { fresh: passes ? message : undefined, isNew, isLast: false };
  }

  ended(): Error {
    return new StreamCutError("the stream ended, and the session goes on");
  }
}
