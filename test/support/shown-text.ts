import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { isTerminal } from "../../src/agent/agent.ts";

/** What a client shows of the text that is being written, by the rule that the contract gives it. */
export class ShownText {
  /** The pieces that are not void, joined. */
  text = "";
  #messageId: string | undefined;

  take(kind: TurnEvent["kind"]): void {
    if (isTerminal(kind)) this.forget();
    else if (kind.case === "text" && kind.value.parentToolId === "") this.forget();
    else if (kind.case === "textDelta") {
      const { text, messageId } = kind.value;
      if (messageId !== this.#messageId || text === "") this.forget();
      this.#messageId = messageId;
      this.text += text;
    }
  }

  /** Its stream has ended. */
  forget(): void {
    this.text = "";
    this.#messageId = undefined;
  }
}
