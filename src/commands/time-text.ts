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

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** How long until something happens: `in 9 min`, `in 40 s`, `now`. */
export function inTime(ms: number): Printable {
  if (ms < SECOND_MS) return print`now`;
  return print`in ${spanText(ms)}`;
}

/** How long something takes, by the two largest units at most that say it: `40 s`, `9 min`, `2 h 5 min`. */
export function spanText(ms: number): Printable {
  if (ms < 2 * MINUTE_MS) return print`${Math.floor(ms / SECOND_MS)} s`;
  if (ms < 2 * HOUR_MS) return print`${Math.floor(ms / MINUTE_MS)} min`;
  const minutes = Math.floor((ms % HOUR_MS) / MINUTE_MS);
  const hours = print`${Math.floor(ms / HOUR_MS)} h`;
  return minutes === 0 ? hours : print`${hours} ${minutes} min`;
}
