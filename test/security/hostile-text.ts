import { expect } from "vitest";
import type { Ended } from "../commands/run-command.ts";

/** How a line begins that only a server can have written: none does, unless text broke out of its line. */
const FORGED = "FORGED";

/** What must not reach a terminal, by the kinds that there are. */
export const UNSEEN_KINDS: Readonly<Record<string, string>> = {
  "escape sequence": "\u001b[2J\u001b]0;title\u0007",
  "C1 control": "\u009b31m\u0085\u0080",
  "DEL and backspaces": "\u007f\b\b\b",
  "carriage return": `\rFORGED`,
  "line separators": `\u2028${FORGED}\u2029${FORGED}`,
  "vertical tab and form feed": `\u000b${FORGED}\u000c${FORGED}`,
  "bidirectional controls":
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
  "zero width": "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff",
  tags: "\u{e0001}\u{e0041}\u{e007f}",
  "variation selectors": "\u{e0100}\u{e01ef}\ufe00a\ufe0f",
  NUL: "\u0000",
};

/** All of them, and a line break behind which a line is forged. */
export const HOSTILE = `x${Object.values(UNSEEN_KINDS).join("x")}\n${FORGED} one\r\n${FORGED} two`;

/** The list of what must be escaped, by number: written anew here, as the code's own could be wrong. */
const UNSEEN: readonly [first: number, last: number][] = [
  [0x00, 0x08],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  [0x61c, 0x61c],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x2064],
  [0x2066, 0x2069],
  [0xd800, 0xdfff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xe0000, 0xe007f],
  [0xe0100, 0xe01ef],
];

/** The characters in a text that do not show as what they are, as `U+1B`. */
export function unseenIn(text: string): string[] {
  const numbers = [...text].map((character) => character.codePointAt(0) ?? 0);
  return numbers
    .filter((number) => UNSEEN.some(([first, last]) => number >= first && number <= last))
    .map((number) => `U+${number.toString(16)}`);
}

/** Expects that what a command printed shows all that it is, on lines of the command's own. */
export function expectSafe({ stdout, stderr }: Ended): void {
  expect(unseenIn(stdout)).toEqual([]);
  expect(unseenIn(stderr)).toEqual([]);
  expect(`${stdout}\n${stderr}`.split("\n").filter((line) => line.startsWith(FORGED))).toEqual([]);
}
