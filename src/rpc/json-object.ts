const SPACE = /[ \t\n\r]*/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
/** Of so few characters it costs less to build the value than to go through them here. */
const SHORT = 4096;

/**
 * Whether a text is a JSON object, as `JSON.parse` has it. Nothing is built: of a MiB of small objects that would take the
 * better part of a second.
 */
export function isJsonObject(text: string): boolean {
  return new JsonReading(text).isObject();
}

/** Whether a text is any JSON value, as `JSON.parse` has it. Nothing is built of a long one. */
export function isJson(text: string): boolean {
  if (text.length > SHORT) return new JsonReading(text).isValue();
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

class JsonReading {
  readonly #text: string;
  #at = 0;
  /** What ends the objects and lists that are open. */
  readonly #ends: ("}" | "]")[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  isObject(): boolean {
    this.#skip(SPACE);
    return this.#text[this.#at] === "{" && this.isValue();
  }

  isValue(): boolean {
    if (!this.#value()) return false;
    while (this.#ends.length > 0) {
      this.#skip(SPACE);
      if (this.#closes()) continue;
      if (!this.#takes(",") || !this.#item()) return false;
    }
    this.#skip(SPACE);
    return this.#at === this.#text.length;
  }

  /** A value, or as much of it as its first that is no object or list, with what it opened. */
  #value(): boolean {
    for (;;) {
      this.#skip(SPACE);
      const next = this.#text[this.#at];
      if (next === '"') return this.#string();
      if (next !== "{" && next !== "[") return this.#skip(SCALAR);
      this.#at++;
      this.#ends.push(next === "{" ? "}" : "]");
      this.#skip(SPACE);
      if (this.#closes()) return true;
      if (next === "{" && !this.#key()) return false;
    }
  }

  #item(): boolean {
    return (this.#ends.at(-1) === "]" || this.#key()) && this.#value();
  }

  #key(): boolean {
    this.#skip(SPACE);
    if (!this.#string()) return false;
    this.#skip(SPACE);
    return this.#takes(":");
  }

  #string(): boolean {
    if (!this.#takes('"')) return false;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === BACKSLASH) {
        if (!this.#skip(ESCAPE)) return false;
        continue;
      }
      // NaN at the end of the text.
      if (!(code >= FIRST_PRINTABLE)) return false;
      this.#at++;
      if (code === QUOTE) return true;
    }
  }

  #closes(): boolean {
    const end = this.#ends.at(-1);
    if (end === undefined || !this.#takes(end)) return false;
    this.#ends.pop();
    return true;
  }

  #takes(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }
}
