import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { oneLine, terminalJson, terminalText } from "../../src/commands/terminal-text.ts";

const CONTROL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;
const CONTROL_BUT_LAYOUT = new RegExp(`(?![\\n\\t])${CONTROL.source}`, "u");

const hostile = fc.string({
  unit: fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    fc.integer({ min: 0, max: 0x9f }).map((code) => String.fromCharCode(code)),
    fc.constantFrom(
      "\u001b[2J",
      "\u009b",
      "\u202e",
      "\u2066",
      "\u2028",
      "\u061c",
      "\r\n",
      "\u007f",
    ),
  ),
});

describe("terminalText", () => {
  it("lets no control character through but newline and tab", () => {
    fc.assert(fc.property(hostile, (text) => !CONTROL_BUT_LAYOUT.test(terminalText(text))));
  });

  it("leaves text without control characters as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(!CONTROL_BUT_LAYOUT.test(text));
        expect(terminalText(text)).toBe(text);
      }),
    );
  });

  it.each([
    ["\u001b]0;title\u0007", "\\u{1b}]0;title\\u{7}"],
    ["a\u202eb\u2069", "a\\u{202e}b\\u{2069}"],
    ["\u2028\u2029\u200e\u200f\u061c", "\\u{2028}\\u{2029}\\u{200e}\\u{200f}\\u{61c}"],
    ["\u007f\u009b31m", "\\u{7f}\\u{9b}31m"],
    ["progress 1\rprogress 2", "progress 1\\u{d}progress 2"],
    ["line\r\n\tline", "line\n\tline"],
    ["größe 😀 \u200b", "größe 😀 \u200b"],
  ])("shows %j as %j", (text, shown) => {
    expect(terminalText(text)).toBe(shown);
  });
});

describe("terminalJson", () => {
  it("lets no control character through and keeps the meaning", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const line = terminalJson(JSON.stringify({ text }));
        expect(CONTROL.test(line)).toBe(false);
        expect(JSON.parse(line)).toEqual({ text });
      }),
    );
  });
});

describe("oneLine", () => {
  it("is one line without control characters", () => {
    fc.assert(fc.property(hostile, (text) => !CONTROL.test(oneLine(text, 20))));
  });

  it("cuts what is longer, by characters", () => {
    expect(oneLine("😀".repeat(8), 5)).toBe("😀😀😀😀…");
    expect(oneLine("a \n b\t c", 5)).toBe("a b c");
    expect(oneLine("a".repeat(1_000_000), 3)).toBe("aa…");
  });
});
