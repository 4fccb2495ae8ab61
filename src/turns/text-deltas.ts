import type { EventKind } from "../agent/agent.ts";
import { isTerminal } from "../agent/agent.ts";
import { ownText } from "../stream/own-text.ts";

/** A piece of text as readers get it. */
export type TextPiece = Extract<EventKind, { case: "textDelta" }>;

/** More of a block than this is left for its `text` to bring, in UTF-16 units. */
const MAX_LENGTH = 256 * 1024;

/** A text that grows is copied whole for each reader of its end: so much of it at most, and not all of a block. */
const CHUNK_LENGTH = 4096;

/** So often at most may other events come between the pieces of a block; more than a model was seen to do. */
const MAX_STRETCHES = 1000;

/** Text that may be shown to readers who have the turn's events up to a sequence. */
interface Stretch {
  readonly afterSequence: number;
  /** Where in the block it ends. */
  end: number;
}

/**
 * The text that the agent is writing, for readers who want to see it grow. Nothing of it is on record.
 *
 * 1. Only the newest block is kept. It is void with the agent's own `text`, with a piece of another message, with an
 *    empty piece and with the turn's end.
 * 2. A reader is shown a piece only once it has every event that came before it.
 * 3. Where a block grows past 256 Ki characters, or past 1,000 events that come between its pieces, readers get no more of it, and new ones get none.
 */
export class TextDeltas {
  readonly #listeners = new Set<() => void>();
  #block = 1;
  /** Blocks up to here are void by an event that their readers get, or have got. */
  #settledBlock = 0;
  #messageId = "";
  #length = 0;
  #chunks: { readonly start: number; text: string }[] = [];
  #stretches: Stretch[] = [];
  #isTooLong = false;
  #hasNews = false;

  /** The number of the newest block. */
  get block(): number {
    return this.#block;
  }

  /** The model's message that the newest block belongs to. */
  get messageId(): string {
    return this.#messageId;
  }

  /**
   * Takes note of whatever the agent did, in order.
   *
   * @param afterSequence - The newest sequence that was given, to the event itself or before it.
   */
  take(kind: EventKind, afterSequence: number): void {
    if (kind.case === "textDelta") this.#add(kind.value, afterSequence);
    else if (isOwnText(kind) || isTerminal(kind)) {
      this.#settledBlock = this.#block;
      this.#begin();
    }
  }

  /** Calls those who listen, where there is something new for them. To be called after each batch. */
  tell(): void {
    if (!this.#hasNews) return;
    this.#hasNews = false;
    for (const listener of this.#listeners) listener();
  }

  /** Has `listener` called when there is more text, or none instead of what there was. It must not throw. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Whether an event makes a block void, so that nobody has to be told. */
  isSettled(block: number): boolean {
    return block <= this.#settledBlock;
  }

  /** What of the newest block a reader of everything up to a sequence may see, from an offset on. */
  textAfter(offset: number, sequence: number): string {
    const hidden = this.#stretches.findIndex(({ afterSequence }) => afterSequence > sequence);
    const end = hidden === -1 ? this.#length : (this.#stretches[hidden - 1]?.end ?? 0);
    if (end <= offset) return "";
    const first = this.#chunks.findLastIndex(({ start }) => start <= offset);
    const chunks = this.#chunks.slice(first);
    return chunks
      .map(({ start, text }) => text.slice(Math.max(0, offset - start), Math.max(0, end - start)))
      .join("");
  }

  #add({ text, messageId }: TextPiece["value"], afterSequence: number): void {
    const isBegun = this.#length > 0 || this.#isTooLong;
    if (isBegun && (text === "" || messageId !== this.#messageId)) {
      this.#begin();
      this.#hasNews = true;
    }
    this.#messageId = messageId;
    if (text === "" || this.#isTooLong) return;
    if (this.#length + text.length > MAX_LENGTH || this.#stretches.length >= MAX_STRETCHES) {
      this.#drop();
      this.#isTooLong = true;
      return;
    }
    this.#append(text);
    this.#hasNews = true;
    const last = this.#stretches.at(-1);
    if (last?.afterSequence === afterSequence) last.end = this.#length;
    else this.#stretches.push({ afterSequence, end: this.#length });
  }

  #append(text: string): void {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.text.length < CHUNK_LENGTH) last.text += text;
    else {
      // Put together of single characters it would take thirty times its length.
      if (last !== undefined) last.text = ownText(last.text);
      this.#chunks.push({ start: this.#length, text });
    }
    this.#length += text.length;
  }

  /** Begins a block; the one before is void. */
  #begin(): void {
    this.#block++;
    this.#isTooLong = false;
    this.#drop();
  }

  #drop(): void {
    this.#length = 0;
    this.#chunks = [];
    this.#stretches = [];
  }
}

/** How far one reader is in the text that the agent is writing. */
export class TextDeltaReader {
  readonly #deltas: TextDeltas;
  #block = -1;
  /** What it was shown of the block. */
  #offset = 0;
  /** The message id that the reader was shown them under. Undefined: it has been shown none that are not void. */
  #shownId: string | undefined;

  constructor(deltas: TextDeltas) {
    this.#deltas = deltas;
  }

  /** Has `listener` called when there may be something new. It must not throw. */
  listen(listener: () => void): () => void {
    return this.#deltas.listen(listener);
  }

  /**
   * What is new to a reader who has the turn's events up to a sequence, in one piece; undefined: nothing. What it answers
   * counts as shown.
   *
   * A piece that takes up another block has another message id than the ones before it, even where the agent writes the
   * same message again, and is empty where there is nothing yet to be shown in their place.
   */
  next(sequence: number): TextPiece | undefined {
    const deltas = this.#deltas;
    if (deltas.isSettled(this.#block)) this.#shownId = undefined;
    const isNewBlock = this.#block !== deltas.block;
    const text = deltas.textAfter(isNewBlock ? 0 : this.#offset, sequence);
    const isVoid = isNewBlock && this.#shownId !== undefined;
    if (text === "" && !isVoid) return undefined;
    if (isNewBlock) {
      this.#block = deltas.block;
      this.#offset = 0;
      this.#shownId = otherThan(this.#shownId, deltas.messageId);
    }
    this.#offset += text.length;
    return textDeltaEvent(text, this.#shownId ?? deltas.messageId);
  }
}

function textDeltaEvent(text: string, messageId: string): TextPiece {
  const value = { $typeName: "breakglass.v1.TextDeltaEvent", text, messageId } as const;
  return { case: "textDelta", value };
}

function isOwnText(kind: EventKind): boolean {
  return kind.case === "text" && kind.value.parentToolId === "";
}

/** The message's id, made to differ from the one that a reader was shown before. */
function otherThan(shownId: string | undefined, messageId: string): string {
  return messageId === shownId ? `${messageId}#2` : messageId;
}
