/** A JSON value as it was written: the digits of its numbers, the order of its keys, and keys that are there twice. */
export type Json =
  | { readonly kind: "object"; readonly entries: readonly (readonly [key: string, value: Json])[] }
  | { readonly kind: "array"; readonly items: readonly Json[] }
  | { readonly kind: "string"; readonly text: string }
  /** A number, `true`, `false` or `null`. `text` is as it was written. */
  | { readonly kind: "other"; readonly text: string };

/** Deeper than this it is not read: it is shown as text. */
const MAX_DEPTH = 200;
const SPACE = /[ \t\n\r]*/y;
const OTHER = /[-+.\w]+/y;

/** Reads JSON text. Undefined: it is not JSON, or deeper than anybody could see. */
export function readJson(text: string): Json | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return new Reader(text).value(0);
}

/** The text of a string of an object; undefined: it has no such one. */
export function stringIn(json: Json | undefined, key: string): string | undefined {
  const value = valueIn(json, key);
  return value?.kind === "string" ? value.text : undefined;
}

/** What an object has under a key; of several the last, as the tools read it. */
export function valueIn(json: Json | undefined, key: string): Json | undefined {
  if (json?.kind !== "object") return undefined;
  return json.entries.findLast(([name]) => name === key)?.[1];
}

/** A value in one short line. */
export function briefly(json: Json): string {
  switch (json.kind) {
    case "string":
    case "other":
      return json.text;
    case "array":
      return `[${json.items.length}]`;
    case "object":
      return `{${json.entries.length}}`;
  }
}

/** Reads what is known to be JSON. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Undefined: it is too deep. */
  value(depth: number): Json | undefined {
    if (depth > MAX_DEPTH) return undefined;
    this.#skip(SPACE);
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return { kind: "string", text: this.#string() };
      default:
        return { kind: "other", text: this.#skip(OTHER) };
    }
  }

  #object(depth: number): Json | undefined {
    const entries: [string, Json][] = [];
    while (this.#isNext("}")) {
      const key = this.#string();
      this.#skip(SPACE);
      this.#at++; // the colon
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      entries.push([key, value]);
    }
    return { kind: "object", entries };
  }

  #array(depth: number): Json | undefined {
    const items: Json[] = [];
    while (this.#isNext("]")) {
      const item = this.value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return { kind: "array", items };
  }

  /** Steps over the bracket or the comma, to the next value or over the end. */
  #isNext(end: string): boolean {
    this.#skip(SPACE);
    if (this.#text[this.#at] !== end) this.#at++; // the opening bracket or the comma
    this.#skip(SPACE);
    if (this.#text[this.#at] !== end) return true;
    this.#at++;
    return false;
  }

  #string(): string {
    const start = this.#at;
    let end = start;
    do end = this.#text.indexOf('"', end + 1);
    while (this.#isEscaped(end));
    this.#at = end + 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  /** An odd number of backslashes stands before it. */
  #isEscaped(at: number): boolean {
    let before = at;
    while (this.#text[before - 1] === "\\") before--;
    return (at - before) % 2 === 1;
  }

  #skip(what: RegExp): string {
    what.lastIndex = this.#at;
    const found = what.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }
}
