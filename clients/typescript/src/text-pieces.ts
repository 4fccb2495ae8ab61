import type { TextDeltaEvent, TurnEvent } from "../../../gen/breakglass/v1/event_pb.ts";

/** In UTF-16 units; far more than a server gives of a text that is being written. */
const MAX_LENGTH = 1024 * 1024;

/**
 * The pieces of the text that the agent is writing, over connections: a new one begins with the whole text so far, and
 * what of it was delivered before is not delivered again. What was delivered and is void is followed by a piece of another
 * message id, which may be empty. Of a message that goes on past 1 Mi characters no more pieces are delivered: its `text`
 * brings it whole, and a server that never ends one costs no more.
 */
export class TextPieces {
  /** As the server gave it last. */
  #messageId: string | undefined;
  /** As it was delivered; where the server cannot know that another piece takes its place, it differs. */
  #shownId = "";
  /** What was delivered of the text so far. */
  #delivered = "";
  /** More of the message than is delivered has come. */
  #isFull = false;
  /** What came over this connection of a text that the one before had begun. Undefined: all of that is known. */
  #repeated: string | undefined;

  /** What comes next comes over another connection. */
  reconnect(): void {
    this.#repeated = this.#delivered === "" ? undefined : "";
  }

  /** Pieces were delivered of which this connection has brought none. */
  get isUnconfirmed(): boolean {
    return this.#repeated === "";
  }

  /** Takes note of a durable event: the agent's own text makes all pieces void. */
  note({ kind }: TurnEvent): void {
    if (kind.case === "text" && kind.value.parentToolId === "") this.#forget();
  }

  /** The piece that says that what was delivered is void. */
  void(): TextDeltaEvent {
    const messageId = this.#otherId(this.#messageId ?? "");
    this.#forget();
    return { $typeName: "breakglass.v1.TextDeltaEvent", text: "", messageId };
  }

  /**
   * Takes a piece.
   *
   * @returns what is to be delivered. Undefined: nothing of it is new.
   */
  take({ messageId, text, ...rest }: TextDeltaEvent): TextDeltaEvent | undefined {
    const repeated = this.#repeated === undefined ? undefined : this.#repeated + text;
    let fresh = text;
    if (messageId !== this.#messageId || text === "") this.#begin(messageId);
    else if (repeated !== undefined) {
      this.#repeated = repeated;
      if (repeated.startsWith(this.#delivered)) {
        this.#repeated = undefined;
        fresh = repeated.slice(this.#delivered.length);
      } else if (this.#delivered.startsWith(repeated)) return undefined;
      else {
        this.#begin(messageId);
        fresh = repeated;
      }
    }
    if (fresh === "" && text !== "") return undefined;
    this.#isFull ||= this.#delivered.length + fresh.length > MAX_LENGTH;
    if (this.#isFull) return undefined;
    this.#delivered += fresh;
    return { ...rest, messageId: this.#shownId, text: fresh };
  }

  #begin(messageId: string): void {
    const shownId = this.#otherId(messageId);
    this.#forget();
    this.#messageId = messageId;
    this.#shownId = shownId;
  }

  /** The message's id, made to differ from the one of what was delivered. */
  #otherId(messageId: string): string {
    const isTaken = this.#delivered !== "" && messageId === this.#shownId;
    return isTaken ? `${messageId}@2` : messageId;
  }

  #forget(): void {
    this.#messageId = undefined;
    this.#delivered = "";
    this.#isFull = false;
    this.#repeated = undefined;
  }
}
