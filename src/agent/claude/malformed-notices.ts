import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import { malformedCount } from "./malformed.ts";

/** So many are told one by one. */
const TOLD = 10;

/**
 * What is told of output that is not as expected: the first notices as they are, and of those that follow how many they were,
 * whenever they are ten times as many, and in the end. A log of 100,000 lines on stdout is not as many events on the disk.
 */
export class MalformedNotices {
  #count = 0;
  #untold = 0;
  #next = TOLD * 10;

  /** Takes what is not to be told one by one out of what was appended since `first`. */
  bound(into: EventKind[], first: number): void {
    for (let i = first; i < into.length; i++) {
      if (!isMalformed(into[i]!)) continue;
      if (++this.#count <= TOLD) continue;
      this.#untold++;
      if (this.#count < this.#next) into.splice(i--, 1);
      else {
        into[i] = this.#tell();
        this.#next *= 10;
      }
    }
  }

  /** Appends how many were not told yet, where some were not. */
  finish(into: EventKind[]): void {
    if (this.#untold > 0) into.push(this.#tell());
  }

  #tell(): EventKind {
    const event = malformedCount(this.#untold, this.#count);
    this.#untold = 0;
    return event;
  }
}

function isMalformed(event: EventKind): boolean {
  return event.case === "notice" && event.value.reason === NoticeReason.MALFORMED_OUTPUT;
}
