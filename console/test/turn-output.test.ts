import { describe, expect, it } from "vitest";
import { colored } from "../src/turn/output/ansi.ts";
import { OutputLines } from "../src/turn/output/output-lines.ts";

function linesOf(text: string): string[] {
  const lines = new OutputLines(text);
  return Array.from({ length: lines.length }, (_, index) => lines.line(index));
}

describe("lines of an output", () => {
  it.each([
    ["", [""]],
    ["a", ["a"]],
    ["a\n", ["a"]],
    ["a\r\nb\n\n", ["a", "b", ""]],
    ["\n", [""]],
  ])("%j has its lines", (text, lines) => {
    expect(linesOf(text)).toEqual(lines);
  });

  it("cuts a long line, and not a character", () => {
    const text = `${"a".repeat(999)}🙂${"b".repeat(2000)}\nc`;
    const lines = new OutputLines(text);
    expect(lines.wholeLines).toBe(2);
    expect(linesOf(text).join("")).toBe(text.replace("\n", ""));
    expect(Math.max(...linesOf(text).map((line) => line.length))).toBe(1000);
    expect(lines.line(0)).toBe("a".repeat(999));
    expect(lines.isCut(0)).toBe(true);
    expect(lines.isCut(lines.length - 2)).toBe(false);
  });

  it("finds in which lines a text is, whatever its case", () => {
    const lines = new OutputLines("One (1)\ntwo\nONE (1) one (1)\n");
    expect(lines.find("one (1", 10)).toEqual([0, 2]);
    expect(lines.find("", 10)).toEqual([]);
    expect(lines.find("o", 1)).toEqual([0]);
  });

  it("takes a line of 5 MB, and one of nothing but colours", () => {
    const start = performance.now();
    expect(new OutputLines("x".repeat(5e6)).length).toBe(5000);
    expect(linesOf("\u001b[31mx\n".repeat(200_000)).length).toBe(200_000);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

describe("colours", () => {
  it("hold on in the lines that follow", () => {
    const lines = linesOf("\u001b[1;31mred\nstill\u001b[0m not\nplain");
    expect(lines.map(colored)).toEqual([
      [{ text: "red", classes: ["fg-ansi-red", "bold"] }],
      [
        { text: "still", classes: ["fg-ansi-red", "bold"] },
        { text: " not", classes: [] },
      ],
      [{ text: "plain", classes: [] }],
    ]);
  });

  it("are the only escapes that do something: the others stay, to be seen", () => {
    const line = "a\u001b[2Kb\u001b]0;title\u0007c\u001b[8mhidden\u001b[38;2;1;1;1mdark";
    const parts = colored(line);
    expect(parts.map(({ text }) => text).join("")).toBe(
      "a\u001b[2Kb\u001b]0;title\u0007chiddendark",
    );
    expect(parts.flatMap(({ classes }) => classes)).toEqual([]);
  });
});
