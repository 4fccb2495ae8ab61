/** A word is a name or a keyword, in small letters unless it was quoted. */
export interface Token {
  readonly kind: "word" | "number" | "text" | "parameter" | "mark" | "end";
  readonly text: string;
}

const PATTERN =
  /\s+|--[^\n]*|(?<number>\d+(?:\.\d+)?)|(?<word>[A-Za-z_][A-Za-z0-9_]*)|"(?<quoted>[^"]*)"|'(?<text>(?:[^']|'')*)'|\$(?<parameter>\d+)|(?<mark>::|<>|<=|>=|\|\||[-+*/%=<>(),.;[\]|])/y;

/** The parts of a statement. @throws Error of what is not understood. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  PATTERN.lastIndex = 0;
  while (PATTERN.lastIndex < sql.length) {
    const at = PATTERN.lastIndex;
    const groups = PATTERN.exec(sql)?.groups;
    if (groups === undefined) throw new Error(`the model does not read: ${sql.slice(at)}`);
    const { number, word, quoted, text, parameter, mark } = groups;
    if (number !== undefined) tokens.push({ kind: "number", text: number });
    else if (word !== undefined) tokens.push({ kind: "word", text: word.toLowerCase() });
    else if (quoted !== undefined) tokens.push({ kind: "word", text: quoted });
    else if (text !== undefined) tokens.push({ kind: "text", text: text.replaceAll("''", "'") });
    else if (parameter !== undefined) tokens.push({ kind: "parameter", text: parameter });
    else if (mark !== undefined) tokens.push({ kind: "mark", text: mark });
  }
  tokens.push({ kind: "end", text: "" });
  return tokens;
}

/** Reads tokens one after another. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get next(): Token {
    return this.#tokens[this.#at]!;
  }

  get isAtEnd(): boolean {
    return this.next.kind === "end";
  }

  take(): Token {
    return this.#tokens[this.#at++]!;
  }

  /** Whether these words or marks come next. */
  sees(...texts: readonly string[]): boolean {
    return texts.every((text, index) => {
      const token = this.#tokens[this.#at + index];
      return token?.text === text && token.kind !== "text";
    });
  }

  /** Takes words or marks if they come next. Answers whether they did. */
  accept(...texts: readonly string[]): boolean {
    if (!this.sees(...texts)) return false;
    this.#at += texts.length;
    return true;
  }

  expect(...texts: readonly string[]): void {
    if (!this.accept(...texts)) {
      const rest = this.#tokens.slice(this.#at, this.#at + 8).map(({ text }) => text);
      throw new Error(`the model expects ${texts.join(" ")} before: ${rest.join(" ")}`);
    }
  }

  word(): string {
    const token = this.take();
    if (token.kind !== "word") throw new Error(`the model expects a name, not ${token.text}`);
    return token.text;
  }

  /** A list with commas between. */
  list<T>(read: () => T): T[] {
    const items = [read()];
    while (this.accept(",")) items.push(read());
    return items;
  }
}
