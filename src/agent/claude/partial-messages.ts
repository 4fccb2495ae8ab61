import type { EventKind } from "../agent.ts";
import { label, textDeltaEvent } from "../events.ts";
import type { Message } from "./line.ts";
import { type StreamEvent, streamEvent } from "./messages.ts";

/**
 * The text that the model is writing, from the CLI's `stream_event` lines.
 *
 * 1. Pieces that follow each other without an empty one in between are of one block, in order and without a gap.
 * 2. What begins anew, as after a stream that broke, begins behind an empty piece: what was given before it is void.
 * 3. Only the agent's own prose is given: no reasoning, no tool's input, no subagent's text.
 */
export class PartialMessages {
  readonly #began: (messageId: string) => void;
  #messageId = "";
  /** The block of prose whose pieces are given. Undefined: what comes is of another kind, or has a gap. */
  #block: number | undefined;
  /** Pieces were given since the last empty one. */
  #isGiven = false;
  /** The first half of a character that a piece ended with. */
  #half = "";

  /** @param began - Called where the agent's model begins a message. */
  constructor(began: (messageId: string) => void = () => {}) {
    this.#began = began;
  }

  /** Appends what a line of type `stream_event` gives. Never throws. */
  add(message: Message, into: EventKind[]): void {
    const { data } = streamEvent.safeParse(message);
    if (data === undefined) this.lose(into);
    else if (!data.parent_tool_use_id) this.#addEvent(data, into);
  }

  /** A line was lost, which may have been a piece: what was given is void, and the block's rest is not given. */
  lose(into: EventKind[]): void {
    this.#block = undefined;
    this.#void(into);
  }

  #addEvent(line: StreamEvent, into: EventKind[]): void {
    const { event } = line;
    if (event.type === "message_start") {
      this.lose(into);
      this.#messageId = label(event.message?.id);
      this.#began(this.#messageId);
      return;
    }
    // Of a message that is not the newest.
    if (line.api_message_id && label(line.api_message_id) !== this.#messageId) return;
    if (line.abandoned_blocks) this.lose(into);
    else if (event.type === "content_block_start") this.#begin(event, into);
    else if (event.type === "content_block_delta") this.#continue(event, into);
    else if (event.type === "content_block_stop") this.#block = undefined;
  }

  /** The `text` of the block before has come by now; where it has not, nothing may be joined with its pieces. */
  #begin({ index, content_block: block }: StreamEvent["event"], into: EventKind[]): void {
    this.lose(into);
    if (block?.type !== "text") return;
    this.#block = index ?? undefined;
    this.#give(block.text ?? "", into);
  }

  #continue({ index, delta }: StreamEvent["event"], into: EventKind[]): void {
    if (this.#block === undefined) return;
    if (index !== this.#block) this.lose(into);
    else if (delta?.type !== "text_delta") return;
    else if (typeof delta.text !== "string") this.lose(into);
    else this.#give(delta.text, into);
  }

  #give(piece: string, into: EventKind[]): void {
    const text = this.#half + piece;
    this.#half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? "";
    const whole = this.#half === "" ? text : text.slice(0, -1);
    if (whole === "") return;
    this.#isGiven = true;
    into.push(textDeltaEvent(whole, this.#messageId));
  }

  #void(into: EventKind[]): void {
    this.#half = "";
    if (!this.#isGiven) return;
    this.#isGiven = false;
    into.push(textDeltaEvent("", this.#messageId));
  }
}
