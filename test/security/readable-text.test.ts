import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { eventText } from "../../src/commands/event-text.ts";
import { exactText, terminalText } from "../../src/commands/terminal-text.ts";
import { WrittenText } from "../../src/commands/written-text.ts";

const plain = (_style: string, text: ReturnType<typeof terminalText>) => text;

/** Texts that are spelled with characters that have no width. */
const SPELLED = {
  "a person at work": "👩\u200d💻",
  "a person at work, with a color of skin": "👩🏽\u200d💻",
  "a family": "👨\u200d👩\u200d👧\u200d👦",
  "a flag": "🏳\ufe0f\u200d🌈",
  "a heart on fire": "❤\ufe0f\u200d🔥",
  "a sign": "⚠\ufe0f",
  keys: "1\ufe0f\u20e3 #\ufe0f\u20e3",
  Persian: "می\u200cخواهم",
  Sinhala: "ශ්\u200dරී ලංකා",
  Hindi: "क्\u200dष क्\u200cष",
};

/** The same characters where they spell nothing. */
const HIDING = {
  "a joiner between letters": "rm\u200d-rf",
  "a joiner behind a picture": "🔥\u200d rm",
  "two joiners": "🔥\u200d\u200d🔥",
  "a joiner that comes first": "\u200d🔥",
  "two selectors": "⚠\ufe0f\ufe0f",
  "a selector behind a digit": "1\ufe0f2",
  "a joiner behind an accent": "e\u0301\u200dx",
  "a non-joiner between Latin letters": "r\u200cm",
};

describe("text that others wrote", () => {
  it.each(Object.entries(SPELLED))("is not taken apart: %s", (_, text) => {
    expect(terminalText(`${text} ${text}`)).toBe(`${text} ${text}`);
  });

  it.each(Object.entries(HIDING))("hides nothing by them: %s", (_, text) => {
    expect(terminalText(text)).toContain("\\u{");
    expect(terminalText(text)).not.toMatch(/\u200d\u200d|\ufe0f\ufe0f|[a-z]\u200d|\u200dx/u);
  });

  it.each([
    "größe naïve",
    "e\u0301 n\u0303 a\u0308",
    "漢字 かな 한국어",
    "العربية مُحَمَّد",
    "עברית שָׁלוֹם",
    "ไทย ที่",
    "│ a │ ü │\n├───┼───┤",
  ])("reads as it is written: %s", (text) => {
    expect(terminalText(text)).toBe(text);
  });

  it("that is to be judged shows every one of them", () => {
    for (const text of Object.values(SPELLED)) {
      expect(exactText(text)).not.toMatch(/[\u200c\u200d]/u);
    }
    expect(exactText("👩\u200d💻")).toBe("👩\\u{200d}💻");
  });

  it("is the same in whatever pieces it comes", () => {
    const units = [...Object.values(SPELLED), ...Object.values(HIDING)].join(" ").split("");
    const text = fc.array(fc.constantFrom(...units), { maxLength: 12 });
    const spelled = fc.constantFrom(...Object.values(SPELLED), ...Object.values(HIDING));
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          spelled.map((whole) => whole.split("")),
        ),
        (pieces) => {
          const whole = pieces.join("");
          fc.pre(whole !== "");
          const written = new WrittenText({ style: plain });
          const shown = pieces.map((piece) => written.next(deltaOf(piece)));
          expect(shown.join("") + written.next(textOf(whole))).toBe(`${terminalText(whole)}\n`);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

it("shows no half of a character where a long line of a tool's answer is cut", () => {
  for (const start of ["", "x"]) {
    const content = start + "😀".repeat(200);
    const kind = { case: "toolResult", value: { content } } as const;
    expect(eventText(create(TurnEventSchema, { kind }), { style: plain })).not.toContain("\\u{");
  }
});

function deltaOf(text: string): TurnEvent {
  return create(TurnEventSchema, { kind: { case: "textDelta", value: { text, messageId: "m" } } });
}

function textOf(text: string): TurnEvent {
  return create(TurnEventSchema, { kind: { case: "text", value: { text } } });
}
