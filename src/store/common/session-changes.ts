import { Refusal } from "../../errors.ts";

/** Refuses a cursor that a session has not come to. */
export function pastSessionsLastChange(changeCount: number): Refusal {
  const message = `after_cursor is past the session's last change, ${changeCount}`;
  return new Refusal("OUT_OF_RANGE", message, { metadata: { last_cursor: String(changeCount) } });
}
