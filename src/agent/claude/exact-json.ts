import type { JsonText } from "./events.ts";

// The compiler's library does not have it yet; V8 has since Node 21.
const { rawJSON } = JSON as JSON & { rawJSON(text: string): unknown };

/** Deeper values are left out: few parsers take them, and Node 24's `JSON.stringify` overflows the stack on them. */
const MAX_DEPTH = 2000;

/**
 * In longer lines, values with numbers that need care are left out: the slow parse takes a third of a second for a MiB,
 * and a value that is most of such a line would not fit into an event.
 */
const MAX_EXACT_LENGTH = 4 * 1024 * 1024;

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
  /** The line with its delicate numbers as they were written. */
  #exact: { readonly root: unknown } | NoRoot = "not looked at";

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
      const part = typeof exact === "object" ? partOf(exact.root, path) : value;
      return { json: JSON.stringify(part) ?? "", truncated: false, totalBytes: 0n };
    } catch {
      // The serializer recurses, and how deep it gets depends on the stack that is left.
      return leftOut(value);
    }
  }

  #look(): { root: unknown } | NoRoot {
    if (!DELICATE_NUMBER.test(this.#line)) return "not needed";
    if (this.#line.length > MAX_EXACT_LENGTH) return "out of reach";
    try {
      return { root: JSON.parse(this.#line, keepSource) };
    } catch {
      // The parser's reviver recurses, through whatever else the line holds.
      return "out of reach";
    }
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

function keepSource(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  return context.source === String(value) ? value : rawJSON(context.source);
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
