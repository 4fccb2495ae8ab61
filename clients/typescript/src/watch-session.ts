import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  WatchSessionRequestSchema,
  WatchSessionResponse,
} from "../../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { BreakglassClient } from "./breakglass-client.ts";
import { type ResumingStream, resume, type StreamOptions } from "./resuming-stream.ts";
import { StreamCutError } from "./turn-events.ts";
import { WatchReading } from "./watch-reading.ts";

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
  const open = (afterCursor: bigint, signal: AbortSignal) =>
    client.watchSession({ ...request, afterCursor }, { signal });
  const ended = () => new StreamCutError("the stream ended, and the session goes on");
  return resume(new WatchReading(client, request.afterCursor ?? 0n, open, ended), options);
}
