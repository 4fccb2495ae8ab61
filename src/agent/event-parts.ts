import type { EventKind } from "./agent.ts";
import { weightOf } from "./idle-events.ts";

/** What is more than that is large: others wait while it is dealt with. */
export const LARGE_BYTES = 1024 * 1024;

/** Events in parts that are not large, or a single event; one at least. */
export function partsOf(events: readonly EventKind[]): EventKind[][] {
  const parts: EventKind[][] = [[]];
  let bytes = 0;
  for (const event of events) {
    const weight = weightOf(event);
    if (bytes > 0 && bytes + weight > LARGE_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)!.push(event);
    bytes += weight;
  }
  return parts;
}
