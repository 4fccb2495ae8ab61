import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import { noticeEvent } from "../events.ts";
import type { Message } from "./line.ts";
import * as messages from "./messages.ts";
import { readMessage } from "./read-message.ts";

/** What the CLI's messages say of the conversation being summarized, which two of them tell of in either order. */
export class Compactions {
  /** Which of the two lines that tell of one compaction came first: the other says nothing new. */
  #toldBy: "status" | "boundary" | undefined;

  /** Appends what a `system/status` means. */
  status(message: Message, into: EventKind[]): void {
    const parsed = readMessage(messages.status, message, into);
    if (parsed === undefined) return;
    if (parsed.status === "compacting") this.#toldBy = undefined;
    if (parsed.compact_result === "success") this.#compacted("status", into);
    if (parsed.compact_result === "failed") {
      const why = parsed.compact_error ? `: ${parsed.compact_error}` : "";
      const text = `The agent could not summarize the conversation${why}`;
      into.push(noticeEvent(NoticeReason.AGENT_WARNING, text));
    }
  }

  /** Appends what a `system/compact_boundary` means. */
  boundary(into: EventKind[]): void {
    this.#compacted("boundary", into);
  }

  #compacted(by: "status" | "boundary", into: EventKind[]): void {
    const told = this.#toldBy;
    this.#toldBy = told === undefined || told === by ? by : undefined;
    if (this.#toldBy === undefined) return;
    const text = "The agent summarized the conversation so far to make room";
    into.push(noticeEvent(NoticeReason.CONTEXT_COMPACTED, text));
  }
}
