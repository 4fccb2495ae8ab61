import { randomUUID } from "node:crypto";
import type { JsonText } from "../events.ts";

/** Deeper values are left out: few parsers take them, and Node 24's `JSON.stringify` overflows the stack on them. */
const MAX_DEPTH = 2000;

/**
 * In longer lines, values with numbers that need care are left out: a value that is most of such a line would not fit into
 * an event.
 */
const MAX_EXACT_LENGTH = 4 * 1024 * 1024;
/** With more numbers that need care they are left out too: each costs the server's thread a third of a microsecond. */
const MAX_EXACT_NUMBERS = 20_000;

/** A number that `JSON.parse` and `JSON.stringify` may not give back as it was written: `1.0`, `1e5`, `-0`, 2^53 + 1. */
const DELICATE_NUMBER = /[[:,]\s*(?:-0|-?\d+(?:[.eE]|\d{15}))/;

/** What is there instead of a line's root. */
type NoRoot = "not looked at" | "not needed" | "out of reach";

/**
 * The parts of one line as JSON text, their numbers as they were written.
 *
 * The whole line is looked at once, however many parts are asked for: a line can have hundreds of thousands of them.
 */
export class ExactJson {
  readonly #line: string;
  /** The line with names in place of its delicate numbers. */
  #exact: NamedNumbers | NoRoot = "not looked at";

  /** @param line - The whole line. */
  constructor(line: string) {
    this.#line = line;
  }

  /**
   * A part as text; empty for `undefined`. Empty and `truncated` where it is nested too deep, or cannot be had exactly.
   *
   * @param value - The part, as `JSON.parse` gave it.
   * @param path - Where in the line the part is.
   */
  textOf(value: unknown, path: readonly (string | number)[]): JsonText {
    const found = inspect(value, 0);
    if (found === "too deep") return leftOut(value);
    if (found === "numbers" && this.#exact === "not looked at") this.#exact = this.#look();
    const exact = found === "numbers" ? this.#exact : "not needed";
    if (exact === "out of reach") return leftOut(value);
    try {
      const json =
        typeof exact === "object"
          ? exact.restore(JSON.stringify(partOf(exact.root, path)))
          : (JSON.stringify(value) ?? "");
      return { json, truncated: false, totalBytes: 0n };
    } catch {
      // The serializer recurses, and how deep it gets depends on the stack that is left.
      return leftOut(value);
    }
  }

  #look(): NamedNumbers | NoRoot {
    if (!DELICATE_NUMBER.test(this.#line)) return "not needed";
    if (this.#line.length > MAX_EXACT_LENGTH) return "out of reach";
    return NamedNumbers.of(this.#line) ?? "out of reach";
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const DIGITS = { first: 0x30, last: 0x39 };
const REST_OF_NUMBER = /[-+.eE\d]*/y;

/**
 * A parsed line in which each delicate number is a text, its name, until `restore` puts the number there as it was written:
 * the engine's own parser and serializer do the rest. Theirs that keep a number's source take a microsecond for each value
 * and for each MiB of the line a third of a second (measured).
 */
class NamedNumbers {
  readonly root: unknown;
  readonly #numbers: readonly string[];
  /** A name with its quotes; the number's index is captured. */
  readonly #name: RegExp;

  private constructor(root: unknown, prefix: string, numbers: readonly string[]) {
    this.root = root;
    this.#numbers = numbers;
    this.#name = new RegExp(`"${prefix}(\\d+)"`, "g");
  }

  /** Undefined where there are too many. */
  static of(line: string): NamedNumbers | undefined {
    // Nobody who wrote the line can know it.
    const prefix = `${randomUUID()}-`;
    const numbers: string[] = [];
    let named = "";
    let copied = 0;
    for (const { start, end } of numbersIn(line)) {
      const written = line.slice(start, end);
      if (String(Number(written)) === written) continue;
      if (numbers.length === MAX_EXACT_NUMBERS) return undefined;
      named += `${line.slice(copied, start)}"${prefix}${numbers.length}"`;
      numbers.push(written);
      copied = end;
    }
    return new NamedNumbers(JSON.parse(named + line.slice(copied)), prefix, numbers);
  }

  restore(json: string): string {
    return json.replace(this.#name, (_, index) => this.#numbers[index]!);
  }
}

/** Where the numbers are in a line that is JSON. */
function* numbersIn(line: string): Generator<{ start: number; end: number }> {
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (code === QUOTE) i = endOfText(line, i);
    else if (code === MINUS || (code >= DIGITS.first && code <= DIGITS.last)) {
      REST_OF_NUMBER.lastIndex = i;
      REST_OF_NUMBER.test(line);
      const end = REST_OF_NUMBER.lastIndex;
      yield { start: i, end };
      i = end - 1;
    }
  }
}

/** Where the quote is that ends the text that begins at `start`. */
function endOfText(line: string, start: number): number {
  for (let i = start + 1; ; i++) {
    const code = line.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i;
  }
}

/** Only inputs that hold a number are worth the slow parse. */
function inspect(value: unknown, depth: number): "plain" | "numbers" | "too deep" {
  if (typeof value === "number") return "numbers";
  if (typeof value !== "object" || value === null) return "plain";
  if (depth >= MAX_DEPTH) return "too deep";
  let found: "plain" | "numbers" = "plain";
  for (const item of Array.isArray(value) ? value : Object.values(value)) {
    const inner = inspect(item, depth + 1);
    if (inner === "too deep") return inner;
    if (inner === "numbers") found = inner;
  }
  return found;
}

function partOf(root: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((part, key) => (part as Record<string | number, unknown>)[key], root);
}

function leftOut(value: unknown): JsonText {
  return { json: "", truncated: true, totalBytes: BigInt(sizeOf(value)) };
}

/** The size of a value as JSON, in bytes. Does not recurse: the value may be nested too deep for that. */
function sizeOf(value: unknown): number {
  let bytes = 0;
  const left = [value];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next === "object" && next !== null) {
      const keys = Array.isArray(next) ? [] : Object.keys(next);
      const values = Object.values(next);
      bytes += 2 + Math.max(0, values.length - 1);
      for (const key of keys) bytes += Buffer.byteLength(JSON.stringify(key)) + 1;
      for (const item of values) left.push(item);
    } else bytes += Buffer.byteLength(JSON.stringify(next));
  }
  return bytes;
}
