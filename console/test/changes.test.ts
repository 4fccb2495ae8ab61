import { describe, expect, it } from "vitest";
import { changedLines } from "../src/doing/changes.ts";

describe("what was changed in a text", () => {
  it("is told line by line", async () => {
    expect(await changedLines("a\nb\n", "a\nc\n")).toEqual([
      { kind: "same", text: "a" },
      { kind: "removed", text: "b" },
      { kind: "added", text: "c" },
    ]);
  });

  it("is all of it, in two pieces, where it would take long to tell", async () => {
    const lines = (letter: string) =>
      Array.from({ length: 12_000 }, (_, n) => letter + n).join("\n");
    expect(await changedLines(lines("a"), lines("b"))).toEqual([
      { kind: "removed", text: lines("a") },
      { kind: "added", text: lines("b") },
    ]);
  });
});
