import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

/** A time to the second, in UTC. */
export function timeText(time: Timestamp | undefined): string {
  if (time === undefined) return "-";
  return timestampDate(time)
    .toISOString()
    .replace(/\.\d+Z$/, "Z");
}
