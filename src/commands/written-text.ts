import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { cutNote, type EventStyle, eventText } from "./event-text.ts";
import { terminalText } from "./terminal-text.ts";

/**
 * The text of one turn on a terminal, written as the agent writes it.
 *
 * 1. When the durable `text` comes that begins with what is on the screen, the rest of it is written, and nothing twice.
 * 2. What is on the screen and does not count is said not to count, in a line of its own, before anything else is written.
 */
export class WrittenText {
  readonly #style: EventStyle;
  readonly #serverOption: string;
  #messageId = "";
  /** The pieces that are on the screen, with a carriage return at their end that is not. */
  #pieces = "";
  /** The cursor is behind a piece, and not at the beginning of a line. */
  #isInLine = false;

  /** @param serverOption - As of {@link eventText}. */
  constructor(style: EventStyle, serverOption = "") {
    this.#style = style;
    this.#serverOption = serverOption;
  }

  /** What to write for the next event of the turn. */
  next(event: TurnEvent): string {
    const { kind } = event;
    switch (kind.case) {
      case "textDelta":
        return this.#piece(kind.value.messageId, kind.value.text);
      case "text":
        if (kind.value.parentToolId !== "") break;
        return this.#whole(event, kind.value);
      case "result":
      case "error":
        return this.#void("the text above was never finished") + this.#text(event);
      default:
        break;
    }
    const text = this.#text(event);
    return text === "" ? "" : this.endLine() + text;
  }

  /** Ends the line that a piece has left open, so that something else can be written. */
  endLine(): string {
    const end = this.#isInLine ? "\n" : "";
    this.#isInLine = false;
    return end;
  }

  #piece(messageId: string, text: string): string {
    const before =
      messageId === this.#messageId
        ? ""
        : this.#void("the unfinished text above is void, the agent begins anew");
    this.#messageId = messageId;
    const written = printable(this.#pieces);
    this.#pieces += text;
    const shown = terminalText(printable(this.#pieces).slice(written.length));
    if (shown !== "") this.#isInLine = !shown.endsWith("\n");
    return before + shown;
  }

  #whole(event: TurnEvent, value: TextOf): string {
    const written = printable(this.#pieces);
    if (!value.text.startsWith(written)) {
      return this.#void("the unfinished text above is void, this is the text") + this.#text(event);
    }
    this.#forget();
    return `${terminalText(value.text.slice(written.length))}${cutNote(value)}\n`;
  }

  #void(note: string): string {
    const hasText = printable(this.#pieces) !== "";
    const end = this.endLine();
    this.#forget();
    return hasText ? `${end}${this.#style("dim", `[${note}]`)}\n` : end;
  }

  #text(event: TurnEvent): string {
    return eventText(event, this.#style, this.#serverOption);
  }

  #forget(): void {
    this.#pieces = "";
    this.#messageId = "";
    this.#isInLine = false;
  }
}

type TextOf = Extract<TurnEvent["kind"], { case: "text" }>["value"];

/** Without a carriage return at the end: what it is depends on what follows. */
function printable(text: string): string {
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}
