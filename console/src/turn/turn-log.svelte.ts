import type { TurnEvent } from "@breakglass/client";

/** The events of one turn as a page shows them. */
export class TurnLog {
  /** The durable events in their order. */
  events = $state.raw<readonly TurnEvent[]>([]);
  /** What the agent writes now, as far as it came. */
  piece = $state("");
  #pieceMessage = "";

  /** Takes what the stream tells, in its order. */
  take(event: TurnEvent): void {
    const { kind } = event;
    if (kind.case === "textDelta") {
      const isSame = kind.value.messageId === this.#pieceMessage && kind.value.text !== "";
      this.piece = isSame ? this.piece + kind.value.text : kind.value.text;
      this.#pieceMessage = kind.value.messageId;
      return;
    }
    if (event.sequence === 0) return;
    if (kind.case === "text" || kind.case === "result" || kind.case === "error") this.piece = "";
    this.events = [...this.events, event];
  }
}
