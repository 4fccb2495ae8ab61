import { describe, expect, it } from "vitest";
import { diffLines, linesOf } from "../src/turn/tool/diff-lines.ts";
import { readJson } from "../src/turn/tool/json.ts";
import { briefOf } from "../src/turn/tool/tool-brief.ts";

const shown = (from: string, to: string) =>
  diffLines(from, to).map(({ sign, text }) => sign + text);

describe("a call in a line", () => {
  it.each([
    ["Bash", { command: "make\nmake install", description: "Builds" }, "make …"],
    ["Edit", { file_path: "/etc/hosts", old_string: "a" }, "/etc/hosts"],
    ["Grep", { pattern: "port", path: "conf" }, "port  conf"],
    ["TodoWrite", { todos: [{ status: "completed" }, { status: "pending" }] }, "1/2"],
    ["mcp__db__query", { sql: "select 1", limit: 5 }, "sql: select 1, limit: 5"],
    ["Nothing", {}, ""],
  ])("%s", (name, input, brief) => {
    expect(briefOf(name, readJson(JSON.stringify(input)))).toBe(brief);
  });
});

describe("a change", () => {
  it("has its context, and says where lines were left out", () => {
    const lines = Array.from({ length: 30 }, (_, n) => `line ${n}`);
    const changed = lines.with(5, "five").with(20, "twenty");
    const diff = shown(lines.join("\n"), changed.join("\n"));
    expect(diff.slice(0, 8)).toEqual([
      " line 2",
      " line 3",
      " line 4",
      "-line 5",
      "+five",
      " line 6",
      " line 7",
      " line 8",
    ]);
    expect(diff.filter((line) => line === "@")).toHaveLength(1);
  });

  it("is all gone and all new where it is too much to compare", () => {
    const from = "a\n".repeat(80_000);
    const to = "b\n".repeat(80_000);
    const lines = diffLines(from, to);
    expect(lines).toHaveLength(160_000);
    expect(lines.at(-1)).toEqual({ sign: "+", text: "b" });
  });

  it("cuts long lines", () => {
    const lines = linesOf("+", "x".repeat(2500));
    expect(lines.map(({ text }) => text.length)).toEqual([1000, 1000, 500]);
  });
});
