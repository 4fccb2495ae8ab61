import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/agent/claude/read-line.ts";
import { anyBytes } from "../../support/arbitrary-bytes.ts";

/** The messages of a line, as they were printed, and how much of it was thrown away. */
function read(line: Uint8Array) {
  const { objects, thrown } = messagesOf(line);
  // Where there is nothing else, white space around a message is left with it.
  return { texts: objects.map(({ text }) => text.trim()), thrown: thrown?.bytes ?? 0 };
}

const anyType = fc.constantFrom("assistant", "result", "control_request", "system", "user");
/** A message as it is printed, its `type` among its fields or behind them. */
const anyPrinted = fc
  .tuple(
    fc.dictionary(fc.string(), fc.jsonValue()),
    anyType,
    fc.boolean(),
    fc.constantFrom("", " "),
  )
  .map(([{ type: _, ...more }, type, isLate, space]) => {
    const message = isLate ? { a: 0, ...more, type } : { type, ...more };
    return JSON.stringify(message, undefined, space).replaceAll("\n", "");
  });
/** What has no object in it: anything but braces. */
const anyWords = fc
  .string({ unit: "binary" })
  .map((text) => text.toWellFormed().replace(/[{}\n\u001b]/g, " "));

describe("of any line,", () => {
  it("the messages are found that stand in it between any words, and no others", () => {
    const parts = fc.array(fc.tuple(anyWords, anyPrinted), { minLength: 1, maxLength: 4 });
    const property = fc.property(parts, anyWords, (pairs, last) => {
      const line = pairs.flat().join("") + last;
      const objects = pairs.map(([, object]) => object);
      const { texts, thrown } = read(Buffer.from(line));
      expect(texts).toEqual(objects);
      const words = pairs.map(([text]) => text).join("") + last;
      if (words.trim() === "") return;
      expect(thrown).toBe(Buffer.byteLength(words));
    });
    fc.assert(property, { numRuns: 1000 });
  });

  it("a message is found that came into the middle of another, and the other", () => {
    const property = fc.property(anyPrinted, anyPrinted, fc.nat(), (outer, inner, place) => {
      const bytes = Buffer.from(outer);
      const at = 1 + (place % (bytes.length - 1));
      const parts = [bytes.subarray(0, at), Buffer.from(inner), bytes.subarray(at)];
      const line = Buffer.concat(parts);
      fc.pre(!isJson(line) && !beginsValue(bytes.subarray(at)));
      expect(read(line).texts).toEqual([inner, outer]);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it("nothing is found in it twice, nor made up", () => {
    const line = fc
      .array(
        fc.oneof(
          anyBytes(20),
          anyPrinted.map((text) => Buffer.from(text)),
        ),
      )
      .map((parts) => Buffer.concat(parts));
    const property = fc.property(line, (bytes) => {
      const { texts, thrown } = read(bytes);
      const kept = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
      expect(kept + thrown).toBeLessThanOrEqual(bytes.length);
    });
    fc.assert(property, { numRuns: 1000 });
  });
});

function isJson(line: Uint8Array): boolean {
  try {
    return Boolean(JSON.parse(Buffer.from(line).toString()));
  } catch {
    return false;
  }
}

/** Where two objects follow each other nobody can tell which has come into the middle. */
function beginsValue(rest: Uint8Array): boolean {
  return rest[0] === "{".charCodeAt(0);
}
