import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  exactText,
  hangingText,
  oneLine,
  shellWord,
  terminalJson,
  terminalText,
} from "../../src/commands/terminal-text.ts";

const CONTROL =
  /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e0fff}\ud800-\udfff\u00ad]/u;
const UNSEEN = new RegExp(
  `${CONTROL.source}|\\p{Default_Ignorable_Code_Point}|[\\ufff9-\\ufffb]`,
  "u",
);
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
      "\ufeff",
      "\u200b",
      "\u2060",
      "\u{e0041}",
      "\u{e01ef}",
      "\ufe0f",
      "\ud83d",
      "\udd25",
      "❤",
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
        fc.pre(!UNSEEN.test(text.replaceAll(/[\n\t]/g, "")));
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
    ["größe 😀 ½ 漢字", "größe 😀 ½ 漢字"],
    ["rm\u200b\u2060\ufeff", "rm\\u{200b}\\u{2060}\\u{feff}"],
    ["a\u{e0041}\u{e0100}b", "a\\u{e0041}\\u{e0100}b"],
    ["❤\ufe0f", "❤\ufe0f"],
    ["❤\ufe0f\ufe0f a\ufe0f \ufe00", "❤\ufe0f\\u{fe0f} a\\u{fe0f} \\u{fe00}"],
    ["half \ud83d", "half \\u{d83d}"],
    ["soft\u00ad filler\u3164", "soft\\u{ad} filler\\u{3164}"],
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

describe("exactText", () => {
  it("shows spaces that are none", () => {
    expect(exactText("rm\u00a0-rf\u3000/ \u2800")).toBe("rm\\u{a0}-rf\\u{3000}/ \\u{2800}");
  });
});

describe("hangingText", () => {
  it("has no line but the first at the margin", () => {
    expect(hangingText("one\r\ntwo\n\u2028three")).toBe("one\n  two\n  \\u{2028}three");
  });
});

describe("shellWord", () => {
  it.each([
    ["01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8057"],
    ["http://127.0.0.1:7433", "http://127.0.0.1:7433"],
    ["x; rm -rf ~", "'x; rm -rf ~'"],
    ["x'; rm -rf ~; '", "'x'\\''; rm -rf ~; '\\'''"],
    ["x\nrm -rf ~", "'x\\u{a}rm -rf ~'"],
    ["--url=http://evil", "'\\u{2d}-url=http://evil'"],
    ["$(id)", "'$(id)'"],
    ["", "''"],
  ])("makes one argument of %j", (word, shown) => {
    expect(shellWord(word)).toBe(shown);
  });
});
