import { expect, it } from "vitest";
import { INVISIBLE_CHARACTERS } from "../../src/stream/invisible-characters.ts";

const shown = (text: string) => text.replace(INVISIBLE_CHARACTERS, "!");

it.each([
  [
    "the controls of a terminal",
    [0x00, 0x07, 0x08, 0x0b, 0x0d, 0x1b, 0x1f, 0x7f, 0x80, 0x9b, 0x9f],
  ],
  ["separators", [0x2028, 0x2029]],
  ["writing direction", [0x061c, 0x200e, 0x200f, 0x202a, 0x202e, 0x2066, 0x2069]],
  ["no width", [0x200b, 0x200c, 0x200d, 0x2060, 0x2064, 0xfeff]],
  ["tags", [0xe0000, 0xe0001, 0xe0041, 0xe007f]],
  ["halves of surrogates", [0xd800, 0xdbff, 0xdc00, 0xdfff]],
])("holds %s", (_, points) => {
  for (const point of points) expect(shown(`a${String.fromCodePoint(point)}b`)).toBe("a!b");
});

it("holds nothing that shows, and neither newline nor tab", () => {
  const text =
    "\n\t ~\u00a0ÿĀ\u0600\u061bمرحبا שלום 日本語 \u2010\u2027\u202f\u2065\u206a\ufefe\uffff 😀 \u{dffff}\u{e0080}";
  expect(shown(text)).toBe(text);
});
