import { type Duration, durationMs, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";

/** A time as the page has it: the server's or its own. */
export type Time = Timestamp | Date;

/** Milliseconds since the epoch. */
export function msOf(time: Time): number {
  return time instanceof Date ? time.getTime() : timestampMs(time);
}

/** Milliseconds. */
export function durationMsOf(duration: Duration | undefined): number {
  return duration === undefined ? 0 : durationMs(duration);
}
