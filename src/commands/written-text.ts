import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventLook } from "./event-look.ts";
import { cutNote, eventText } from "./event-text.ts";
import { type Printable, print, textAfter } from "./terminal-text.ts";

/**
 * The text of one turn on a terminal, written as the agent writes it.
 *
 * 1. When the durable `text` comes that begins with what is on the screen, the rest of it is written, and nothing twice.
 * 2. What is on the screen and does not count is said not to count, in a line of its own, before anything else is written.
 */
export class WrittenText {
  readonly #look: EventLook;
  #messageId = "";
  /** The pieces that are on the screen. Only ever added to while they come, which costs no copy. */
  #written = "";
  /** The end of them: how a character is shown can depend on the one before it. */
  #tail = "";
  /** What comes last and is not on the screen, because what it is depends on what follows. */
  #held = "";
  /** The cursor is behind a piece, and not at the beginning of a line. */
  #isInLine = false;

  constructor(look: EventLook) {
    this.#look = look;
  }

  /** What to write for the next event of the turn. */
  next(event: TurnEvent): Printable {
    const { kind } = event;
    switch (kind.case) {
      case "textDelta":
        return this.#piece(kind.value.messageId, kind.value.text);
      case "text":
        if (kind.value.parentToolId !== "") break;
        return this.#whole(event, kind.value);
      case "result":
      case "error":
        return print`${this.#void(print`the text above was never finished`)}${this.#text(event)}`;
      default:
        break;
    }
    const text = this.#text(event);
    return text === "" ? text : print`${this.endLine()}${text}`;
  }

  /** Ends the line that a piece has left open, so that something else can be written. */
  endLine(): Printable {
    const end = this.#isInLine ? print`\n` : print``;
    this.#isInLine = false;
    return end;
  }

  #piece(messageId: string, text: string): Printable {
    const before =
      messageId === this.#messageId
        ? print``
        : this.#void(print`the unfinished text above is void, the agent begins anew`);
    this.#messageId = messageId;
    const shown = this.#show(text);
    if (shown !== "") this.#isInLine = !shown.endsWith("\n");
    return print`${before}${shown}`;
  }

  /** What of a piece goes to the screen now. */
  #show(text: string): Printable {
    const [fresh, held] = decided(this.#held + text);
    const shown = textAfter(this.#tail, fresh);
    this.#held = held;
    this.#written += fresh;
    this.#tail = (this.#tail + fresh.slice(-TAIL_UNITS)).slice(-TAIL_UNITS);
    return shown;
  }

  #whole(event: TurnEvent, value: TextOf): Printable {
    const written = this.#written;
    if (!value.text.startsWith(written)) {
      const note = print`the unfinished text above is void, this is the text`;
      return print`${this.#void(note)}${this.#text(event)}`;
    }
    const rest = textAfter(this.#tail, value.text.slice(written.length));
    this.#forget();
    return print`${rest}${cutNote(value)}\n`;
  }

  #void(note: Printable): Printable {
    const hasText = this.#written !== "";
    const end = this.endLine();
    this.#forget();
    return hasText ? print`${end}${this.#look.style("dim", print`[${note}]`)}\n` : end;
  }

  #text(event: TurnEvent): Printable {
    return eventText(event, this.#look);
  }

  #forget(): void {
    this.#written = "";
    this.#tail = "";
    this.#held = "";
    this.#messageId = "";
    this.#isInLine = false;
  }
}

/** Two characters of two units: a picture and its color of skin. */
const TAIL_UNITS = 4;

type TextOf = Extract<TurnEvent["kind"], { case: "text" }>["value"];

const UNDECIDED = /(?:\r|(?:\u200c|\u200d|\ufe0f)?[\ud800-\udbff]|\u200c|\u200d|\ufe0f)$/;

/**
 * Parts what can be shown from what comes last and depends on what follows: a carriage return, half of a character, and a
 * joiner or a selector, which may be a part of the spelling.
 */
function decided(text: string): [shown: string, held: string] {
  const held = UNDECIDED.exec(text)?.[0] ?? "";
  return [text.slice(0, text.length - held.length), held];
}
