import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { type Printable, print, terminalText } from "./terminal-text.ts";

/** The last second of the year 9999, as protobuf has it. */
const LAST_SECOND = 253_402_300_799n;

/** A time to the second, in UTC; `unknown` for one that is missing, or that no clock of a server's showed. */
export function timeText(time: Timestamp | undefined): Printable {
  if (time === undefined || !isTime(time)) return print`unknown`;
  return terminalText(
    timestampDate(time)
      .toISOString()
      .replace(/\.\d+Z$/, "Z"),
  );
}

/** Whether it is a time since 1970 that can be shown. */
export function isTime({ seconds, nanos }: Timestamp): boolean {
  return seconds >= 0n && seconds <= LAST_SECOND && nanos >= 0 && nanos < 1_000_000_000;
}
