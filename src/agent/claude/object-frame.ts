import {
  BACKSLASH,
  CLOSING_BRACE,
  CLOSING_BRACKET,
  COLON,
  COMMA,
  decode,
  endOfText,
  isScalar,
  isSpace,
  OPENING_BRACE,
  OPENING_BRACKET,
  QUOTE,
} from "./json-bytes.ts";

/** A part of a line, without its `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What may come next in an object. `scalar`: a number or a name goes on, or ends. */
type Expect = "firstKey" | "key" | "colon" | "first" | "value" | "scalar" | "more";

interface Container {
  readonly isObject: boolean;
  readonly start: number;
  /** What was expected where it began. */
  readonly before: Expect;
  /** Its `type` is one that is asked for. */
  isKnown: boolean;
}

/** An object that is a value within another. */
export interface Nested extends Span {
  readonly before: Expect;
  readonly isKnown: boolean;
}

/** What stopped the reading of an object: its end, the line's, or what cannot stand there. */
export type Stop = "closed" | "lineEnd" | "unfit";

/** The longest name of a kind that is looked at. */
const MAX_TYPE_LENGTH = 64;
const TYPE_KEY = [..."type"].map((character) => character.charCodeAt(0));

/**
 * An object as it is read from a line, byte after byte: how far it goes, and what in it is not its own.
 *
 * Only its structure is held to JSON's grammar; what its texts and numbers are the parser tells.
 */
export class ObjectFrame {
  readonly start: number;
  /** What stands in it and is not its own, in order. */
  cuts: Span[] = [];
  /** How many values it has, but for texts and numbers in objects. */
  values = 0;
  /** The object that it had last, right before an object that stands where none may. */
  doubted: Nested | undefined;
  readonly #bytes: Uint8Array;
  readonly #isKnownType: (type: string) => boolean;
  readonly #maxValues: number;
  readonly #containers: Container[] = [];
  #expect: Expect = "value";
  /** How deep it is, where it is too intricate for its containers to be remembered. */
  #depth = 0;
  /** The text that is read, and where the part of it that is being read began. */
  #text: { from: number; before: Expect; isCut: boolean; isEscaped: boolean } | undefined;
  #isTypeKey = false;
  #lastText: { readonly from: number; readonly end: number; readonly before: Expect } | undefined;
  #lastNested: Nested | undefined;
  #isKnown = false;

  /** @param start - Where its opening brace is. */
  constructor(
    bytes: Uint8Array,
    start: number,
    isKnownType: (type: string) => boolean,
    maxValues: number,
  ) {
    this.start = start;
    this.#bytes = bytes;
    this.#isKnownType = isKnownType;
    this.#maxValues = maxValues;
  }

  /** Whether its own `type` is one that is asked for. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Whether it has more values than are looked at. */
  get isIntricate(): boolean {
    return this.values > this.#maxValues;
  }

  /** The object in it that what was read last ends. */
  get lastNested(): Nested | undefined {
    return this.#lastNested;
  }

  /** Reads on. Answers where, and why, it stopped: behind its end, or at what does not fit. */
  read(from: number): readonly [at: number, stop: Stop] {
    let at = from;
    while (at < this.#bytes.length) {
      if (this.isIntricate) return this.#skip(at);
      if (this.#text !== undefined) at = this.#readText(at);
      else if (isSpace(this.#bytes[at])) at++;
      else if (!this.#take(this.#bytes[at]!, at)) return [at, "unfit"];
      else if (++at && this.#containers.length === 0) return [at, "closed"];
    }
    return [at, "lineEnd"];
  }

  /**
   * Where an object begins that came into the middle of what was read last: in a text, whose end was then that object's
   * first quote. The text is open again, and to be read on behind that object. Undefined: none does.
   */
  reopenText(): number | undefined {
    if (this.#lastText === undefined) return undefined;
    const { from, end, before } = this.#lastText;
    let brace = end - 1;
    while (brace > from && isSpace(this.#bytes[brace])) brace--;
    if (brace < from || this.#bytes[brace] !== OPENING_BRACE) return undefined;
    let backslashes = 0;
    while (brace - backslashes > from && this.#bytes[brace - backslashes - 1] === BACKSLASH) {
      backslashes++;
    }
    this.#text = { from, before, isCut: true, isEscaped: backslashes % 2 === 1 };
    this.#lastText = undefined;
    return brace;
  }

  /** What came last in it is taken for something that came into its middle. */
  takeOut({ start, end, before }: Nested): Span[] {
    const isWithin = (cut: Span) => cut.start >= start;
    const inner = this.cuts.filter(isWithin);
    this.cuts = [...this.cuts.filter((cut) => !isWithin(cut)), { start, end }];
    if (this.#lastNested?.start === start) {
      this.#expect = before;
      this.#lastNested = undefined;
    }
    return inner;
  }

  /** It goes on behind an object that came into its middle. */
  passOver(span: Span): void {
    this.cuts.push(span);
    if (this.#text !== undefined) this.#text.from = span.end;
  }

  /** An object that was read by itself is its own, in the place of the one before. */
  adopt({ start, cuts, values }: ObjectFrame, end: number): void {
    this.cuts.push(...cuts);
    this.values += values;
    this.#expect = "more";
    this.#lastNested = { start, end, before: "more", isKnown: false };
  }

  /** Answers whether a byte fits. */
  #take(byte: number, at: number): boolean {
    const expect = this.#expect;
    if (expect === "scalar") {
      if (isScalar(byte)) return true;
      this.#expect = "more";
      if (this.#take(byte, at)) return true;
      this.#expect = "scalar";
      return false;
    }
    const isValue = expect === "value" || expect === "first";
    switch (byte) {
      case QUOTE:
        return (isValue || expect === "key" || expect === "firstKey") && this.#beginText(at);
      case OPENING_BRACE:
      case OPENING_BRACKET:
        return isValue && this.#open(byte === OPENING_BRACE, at);
      case CLOSING_BRACE:
      case CLOSING_BRACKET:
        return this.#close(byte === CLOSING_BRACE, at);
      case COMMA:
        if (expect !== "more") return false;
        this.values++;
        return this.#next(this.#containers.at(-1)!.isObject ? "key" : "value");
      case COLON:
        return expect === "colon" && this.#next("value");
    }
    return isValue && isScalar(byte) && this.#next("scalar");
  }

  #next(expect: Expect): true {
    this.#expect = expect;
    this.#lastText = undefined;
    this.#lastNested = undefined;
    return true;
  }

  #open(isObject: boolean, start: number): true {
    this.values++;
    this.#containers.push({ isObject, start, before: this.#expect, isKnown: false });
    return this.#next(isObject ? "firstKey" : "first");
  }

  #close(isObject: boolean, at: number): boolean {
    const { isObject: isOpen } = this.#containers.at(-1)!;
    const isComplete = this.#expect === "more" || this.#expect === (isOpen ? "firstKey" : "first");
    if (isObject !== isOpen || !isComplete) return false;
    const { start, before, isKnown } = this.#containers.pop()!;
    this.#next("more");
    this.#isKnown = isKnown;
    if (isObject) this.#lastNested = { start, end: at + 1, before, isKnown };
    return true;
  }

  #beginText(at: number): true {
    this.#text = { from: at + 1, before: this.#expect, isCut: false, isEscaped: false };
    return true;
  }

  /** Answers where what follows the text begins. */
  #readText(at: number): number {
    const { from, before, isCut, isEscaped } = this.#text!;
    const end = endOfText(this.#bytes, isEscaped ? at + 1 : at);
    if (end >= this.#bytes.length) return this.#bytes.length;
    const isKey = before === "key" || before === "firstKey";
    if (isKey) this.#isTypeKey = !isCut && this.#isType(from, end);
    else if (this.#isTypeKey && this.#containers.at(-1)!.isObject) this.#noteType(from, end);
    if (!isKey) this.#isTypeKey = false;
    this.#next(isKey ? "colon" : "more");
    this.#text = undefined;
    this.#lastText = { from, end, before };
    return end + 1;
  }

  #isType(from: number, end: number): boolean {
    return end - from === 4 && TYPE_KEY.every((byte, i) => this.#bytes[from + i] === byte);
  }

  #noteType(from: number, end: number): void {
    const isShort = end - from <= MAX_TYPE_LENGTH;
    const type = isShort ? decode(this.#bytes.subarray(from, end)) : "";
    this.#containers.at(-1)!.isKnown = this.#isKnownType(type);
  }

  /** Looks for its end by its brackets alone. */
  #skip(from: number): readonly [at: number, stop: Stop] {
    if (this.#depth === 0) this.#depth = this.#containers.length;
    let at = this.#text === undefined ? from : endOfText(this.#bytes, from) + 1;
    this.#text = undefined;
    for (; at < this.#bytes.length; at++) {
      const byte = this.#bytes[at]!;
      if (byte === QUOTE) at = endOfText(this.#bytes, at + 1);
      else if ((byte | 0x20) === OPENING_BRACE) this.#depth++;
      else if ((byte | 0x20) === CLOSING_BRACE && --this.#depth === 0) return [at + 1, "closed"];
    }
    return [this.#bytes.length, "lineEnd"];
  }
}
