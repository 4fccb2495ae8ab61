import { withoutEscapes } from "../../stream/terminal-escapes.ts";
import { CLOSING_BRACE, isSpace, OPENING_BRACE } from "./json-bytes.ts";
import { type Nested, ObjectFrame, type Span } from "./object-frame.ts";

const ESCAPE = 0x1b;
/** So many objects are followed that each came into the middle of another: a line of braces is nothing else. */
const MAX_OPEN = 16;
/** So many objects of one line are taken. */
const MAX_OBJECTS = 10_000;
/** So much is told of what was thrown away, in bytes. */
const TOLD_BYTES = 200;

/** What a line's objects are made of. */
export interface FramingRules<T> {
  /** Whether an object with that `type` is one that is looked for. */
  isKnown(type: string): boolean;
  /** Makes what is wanted of an object's bytes. Undefined: it is none, or not of a kind that is looked for. */
  parse(object: Uint8Array): T | undefined;
  /** An object with more values than that is not parsed. */
  readonly maxValues: number;
}

/** What a line was found to hold. */
export interface FramedLine<T> {
  /** The objects of the kinds that are looked for, in the order of their ends. */
  readonly objects: readonly T[];
  /** The lengths of those with too many values. */
  readonly intricate: readonly number[];
  /** Undefined: nothing but white space was. */
  readonly thrown: ThrownAway | undefined;
}

/** What of a line was thrown away. */
export interface ThrownAway {
  /** How many bytes. */
  readonly bytes: number;
  /** The first of them. */
  readonly beginning: Uint8Array;
  /** Objects, or pieces of some, may be among it. */
  readonly hasBraces: boolean;
}

/**
 * Finds every whole object of a known kind in a line that has other things in it too: a terminal's escape sequences, words of
 * a wrapper, objects that were written into the middle of another. Linear in the line's length.
 *
 * 1. An object that came into the middle of another, in its text too, is one of its own, and the other is whole without it.
 * 2. What is written in an object's text is never one, nor what is a value of a whole object.
 * 3. Where an object breaks off right behind a value of it which is of a known kind, that is taken for the next object.
 */
export function frameLine<T>(line: Uint8Array, rules: FramingRules<T>): FramedLine<T> {
  const hasEscapes = line.includes(ESCAPE);
  const { bytes, escapes } = hasEscapes
    ? withoutEscapes(line, TOLD_BYTES)
    : { bytes: line, escapes: line.subarray(0, 0) };
  return new Framing(bytes, rules).result(line.length, escapes);
}

class Framing<T> {
  readonly #bytes: Uint8Array;
  readonly #rules: FramingRules<T>;
  readonly #open: ObjectFrame[] = [];
  readonly #objects: T[] = [];
  readonly #intricate: number[] = [];
  /** What was taken or refused, in pieces. */
  readonly #accounted: Span[] = [];

  constructor(bytes: Uint8Array, rules: FramingRules<T>) {
    this.#bytes = bytes;
    this.#rules = rules;
  }

  result(length: number, escapes: Uint8Array): FramedLine<T> {
    this.#scan();
    return {
      objects: this.#objects,
      intricate: this.#intricate,
      thrown: this.#thrown(length, escapes),
    };
  }

  #scan(): void {
    for (let at = 0; at < this.#bytes.length; ) {
      const frame = this.#open.at(-1);
      if (frame === undefined) {
        const start = this.#bytes.indexOf(OPENING_BRACE, at);
        if (start === -1) return;
        at = this.#begin(start);
        continue;
      }
      const [end, stop] = frame.read(at);
      at = end;
      if (stop === "closed") this.#complete(frame, end);
      else if (stop === "unfit") at = this.#misfit(frame, end);
      else if (frame.isIntricate) this.#refuse({ start: frame.start, end });
    }
    this.#breakOff();
  }

  /** Answers where to read on. Of a run of braces the last ones are followed: the others would be forgotten for them. */
  #begin(at: number): number {
    let end = at;
    while (this.#bytes[end] === OPENING_BRACE) end++;
    const start = Math.max(at, end - MAX_OPEN);
    if (this.#open.length === MAX_OPEN) this.#open.shift();
    const { isKnown, maxValues } = this.#rules;
    this.#open.push(new ObjectFrame(this.#bytes, start, isKnown, maxValues));
    return start;
  }

  #complete(frame: ObjectFrame, end: number): void {
    this.#open.pop();
    const parent = this.#open.at(-1);
    const doubted = parent?.doubted;
    if (parent !== undefined) parent.doubted = undefined;
    if (parent !== undefined && doubted?.isKnown && !frame.isKnown) {
      // Of two values in a row the first is the one that does not belong there.
      this.#takeNested(parent, doubted);
      parent.adopt(frame, end);
      return;
    }
    const span = { start: frame.start, end };
    if (frame.isIntricate) this.#refuse(span);
    else this.#take(span, frame.cuts);
    parent?.passOver(span);
  }

  /** What does not fit is an object that came into the middle, or comes behind one; or else nothing of it is left. */
  #misfit(frame: ObjectFrame, at: number): number {
    const { lastNested } = frame;
    // 1.
    if (this.#bytes[at] === OPENING_BRACE) {
      frame.doubted = lastNested;
      return this.#begin(at);
    }
    const start = frame.reopenText();
    if (start !== undefined) return this.#begin(start);
    if (lastNested?.isKnown) {
      this.#takeNested(frame, lastNested);
      return at;
    }
    this.#breakOff();
    return at;
  }

  /** 3. */
  #breakOff(): void {
    for (const frame of this.#open) {
      const nested = frame.doubted ?? frame.lastNested;
      if (nested?.isKnown) this.#takeNested(frame, nested);
    }
    this.#open.length = 0;
  }

  #takeNested(frame: ObjectFrame, nested: Nested): void {
    this.#take(nested, frame.takeOut(nested));
  }

  #take(span: Span, cuts: readonly Span[]): void {
    if (this.#objects.length >= MAX_OBJECTS) return;
    const pieces = piecesOf(span, cuts);
    const parts = pieces.map(({ start, end }) => this.#bytes.subarray(start, end));
    const object = this.#rules.parse(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    if (object === undefined) return;
    this.#objects.push(object);
    for (const piece of pieces) this.#accounted.push(piece);
  }

  #refuse(span: Span): void {
    this.#intricate.push(span.end - span.start);
    this.#accounted.push(span);
  }

  #thrown(length: number, escapes: Uint8Array): ThrownAway | undefined {
    const accounted = this.#accounted.toSorted((a, b) => a.start - b.start);
    const whole = { start: 0, end: this.#bytes.length };
    const rest = piecesOf(whole, accounted).map(({ start, end }) =>
      this.#bytes.subarray(start, end),
    );
    const left = rest.filter((piece) => !piece.every(isSpace));
    if (left.length === 0 && escapes.length === 0) return undefined;
    const kept = accounted.reduce((sum, { start, end }) => sum + end - start, 0);
    return {
      bytes: length - kept,
      beginning: beginningOf(left.length > 0 ? left : [escapes]),
      hasBraces: left.some(
        (piece) => piece.includes(OPENING_BRACE) || piece.includes(CLOSING_BRACE),
      ),
    };
  }
}

/** What is left of a span between what is cut out of it, which is in order; the parts of it that are not empty. */
function piecesOf({ start, end }: Span, cuts: readonly Span[]): Span[] {
  const pieces: Span[] = [];
  let from = start;
  for (const cut of cuts) {
    if (cut.start > from) pieces.push({ start: from, end: cut.start });
    from = Math.max(from, cut.end);
  }
  if (from < end) pieces.push({ start: from, end });
  return pieces;
}

function beginningOf(pieces: readonly Uint8Array[]): Uint8Array {
  const first: Uint8Array[] = [];
  let room = TOLD_BYTES;
  for (const piece of pieces) {
    if (room === 0) break;
    first.push(piece.subarray(0, room));
    room -= first.at(-1)!.length;
  }
  return Buffer.concat(first);
}
