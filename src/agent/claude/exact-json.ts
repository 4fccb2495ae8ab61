import type { JsonText } from "./events.ts";

// The compiler's library does not have it yet; V8 has since Node 21.
const { rawJSON } = JSON as JSON & { rawJSON(text: string): unknown };

/** Deeper values are left out: few parsers take them, and Node 24's `JSON.stringify` overflows the stack on them. */
const MAX_DEPTH = 2000;

/** A number that `JSON.parse` and `JSON.stringify` may not give back as it was written: `1.0`, `1e5`, `-0`, 2^53 + 1. */
const DELICATE_NUMBER = /[[:,]\s*(?:-0|-?\d+(?:[.eE]|\d{15}))/;

/**
 * A part of a line as JSON text, its numbers as they were written.
 *
 * @param value - The part, as `JSON.parse` gave it.
 * @param line - The whole line.
 * @param path - Where in the line the part is.
 */
export function exactJson(
  value: unknown,
  line: string,
  path: readonly (string | number)[],
): JsonText {
  const found = inspect(value, 0);
  if (found === "too deep") return leftOut(value, line);
  try {
    const delicate = found === "numbers" && DELICATE_NUMBER.test(line);
    const exact = delicate ? partOf(JSON.parse(line, keepSource), path) : value;
    return { json: JSON.stringify(exact) ?? "", truncated: false, totalBytes: 0n };
  } catch {
    // The parser's reviver and the serializer recurse, and how deep they get depends on the stack that is left.
    return leftOut(value, line);
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

function leftOut(value: unknown, line: string): JsonText {
  return { json: "", truncated: true, totalBytes: BigInt(sizeOf(value, line)) };
}

function sizeOf(value: unknown, line: string): number {
  try {
    return Buffer.byteLength(JSON.stringify(value));
  } catch {
    return Buffer.byteLength(line);
  }
}
