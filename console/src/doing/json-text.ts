const SPACE = /[ \t\n\r]*/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
/** Each of the two by itself: both in one expression would take for ever, or the whole stack, for some texts. */
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;
/** Deeper nothing is read: who writes that wants to break something. */
const MOST_DEPTH = 200;

/** What keeps a text from being a JSON object, and where: line and column from 1. */
export interface JsonProblem {
  readonly what: "no-object" | "unexpected" | "unfinished" | "bad-text" | "too-deep" | "more";
  readonly line: number;
  readonly column: number;
}

class JsonMistake extends Error {
  readonly what: JsonProblem["what"];
  readonly at: number;
  constructor(what: JsonProblem["what"], at: number) {
    super(what);
    this.what = what;
    this.at = at;
  }
}

/** Says what keeps a text from being a JSON object. Undefined: it is one. */
export function jsonProblem(text: string): JsonProblem | undefined {
  try {
    new Reading(text).object();
    return undefined;
  } catch (error) {
    if (!(error instanceof JsonMistake)) throw error;
    const before = text.slice(0, error.at);
    const lineStart = before.lastIndexOf("\n") + 1;
    const line = before.split("\n").length;
    return { what: error.what, line, column: [...before.slice(lineStart)].length + 1 };
  }
}

/**
 * A JSON object with a line for each of its values. Only spaces between its parts change: numbers keep their digits and texts their
 * escapes. A text that is no JSON object is answered as it is.
 */
export function laidOut(text: string): string {
  try {
    return new Reading(text).object();
  } catch {
    return text;
  }
}

/** Reads an object and writes it anew, part by part. */
class Reading {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  object(): string {
    this.#space();
    if (this.#peek() === undefined) throw new JsonMistake("unfinished", this.#at);
    if (this.#peek() !== "{") throw new JsonMistake("no-object", this.#at);
    const written = this.#value();
    this.#space();
    if (this.#at < this.#text.length) throw new JsonMistake("more", this.#at);
    return written;
  }

  #value(): string {
    this.#space();
    const next = this.#peek();
    if (next === "{") return this.#several("{", "}", () => `${this.#key()}: ${this.#value()}`);
    if (next === "[") return this.#several("[", "]", () => this.#value());
    return next === '"' ? this.#string() : (this.#match(SCALAR) ?? this.#fail());
  }

  #several(start: string, end: string, part: () => string): string {
    if (++this.#depth > MOST_DEPTH) throw new JsonMistake("too-deep", this.#at);
    this.#at++;
    this.#space();
    const parts: string[] = [];
    const inner = "  ".repeat(this.#depth);
    while (this.#peek() !== end || parts.length > 0) {
      parts.push(inner + part());
      this.#space();
      if (this.#peek() === end) break;
      if (this.#peek() !== ",") this.#fail();
      this.#at++;
    }
    this.#at++;
    this.#depth--;
    if (parts.length === 0) return start + end;
    return `${start}\n${parts.join(",\n")}\n${"  ".repeat(this.#depth)}${end}`;
  }

  #key(): string {
    this.#space();
    if (this.#peek() !== '"') this.#fail();
    const key = this.#string();
    this.#space();
    if (this.#peek() !== ":") this.#fail();
    this.#at++;
    return key;
  }

  #string(): string {
    const start = this.#at++;
    do this.#match(PLAIN);
    while (this.#match(ESCAPE) !== undefined);
    if (this.#peek() === undefined) throw new JsonMistake("unfinished", this.#at);
    if (this.#peek() !== '"') throw new JsonMistake("bad-text", this.#at);
    return this.#text.slice(start, ++this.#at);
  }

  #fail(): never {
    throw new JsonMistake(this.#peek() === undefined ? "unfinished" : "unexpected", this.#at);
  }

  #space(): void {
    this.#match(SPACE);
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}
