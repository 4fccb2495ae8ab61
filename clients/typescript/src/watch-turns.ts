import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  WatchTurnsRequestSchema,
  WatchTurnsResponse,
} from "../../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { BreakglassClient } from "./breakglass-client.ts";
import { type ResumingStream, resume, type StreamOptions } from "./resuming-stream.ts";
import { StreamCutError } from "./turn-events.ts";
import { WatchReading } from "./watch-reading.ts";

/**
 * Watches all turns that the caller may see, and what waits for an approval in them, over as many connections as that takes:
 * every change once and in order, from after `after_cursor`. It has no end of its own. From 0 on it begins with what has not
 * ended and what waits.
 *
 * Messages without a change, leaving and `signal` are as in `watchSession`.
 *
 * @throws ConnectError as `watchSession`; OUT_OF_RANGE where some of what follows the cursor was removed with its turns: watch
 * from 0, and forget what was known.
 */
export function watchTurns(
  client: BreakglassClient,
  request: MessageInitShape<typeof WatchTurnsRequestSchema> = {},
  options: StreamOptions = {},
): ResumingStream<WatchTurnsResponse> {
  const open = (afterCursor: bigint, signal: AbortSignal) =>
    client.watchTurns({ ...request, afterCursor }, { signal });
  const ended = () => new StreamCutError("the stream ended, and turns go on");
  return resume(new WatchReading(client, request.afterCursor ?? 0n, open, ended), options);
}
