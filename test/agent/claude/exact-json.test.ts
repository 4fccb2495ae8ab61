import { describe, expect, it } from "vitest";
import { assistant, toolLine, translate, valuesOf } from "./lines.ts";

describe("a tool's input", () => {
  it.each([
    '{"big":9007199254740993,"neg":-0,"f":1.0,"e":1e5,"tiny":5e-324,"plain":42}',
    '{"n":[12345678901234567890.123456789,{"m":1E+2}],"s":"1.0"}',
    '{"s":"no numbers at all, \\u2028 or 1.0"}',
    "{}",
    "[1,2]",
    "null",
  ])("is what the model wrote: %s", (input) => {
    const [tool] = valuesOf(translate(toolLine(input)).events, "tool");
    const written = input === "null" ? "{}" : input.replace("\\u2028", "\u2028");
    expect(tool).toMatchObject({ inputJson: written, truncated: false, totalBytes: 0n });
  });

  it("is the right one among several blocks", () => {
    const blocks = [1, 2].map(
      (n) => `{"type":"tool_use","id":"t${n}","name":"n","input":{"x":${n}.0}}`,
    );
    const line = `{"type":"assistant","message":{"content":[${blocks.join()}]}}`;
    const tools = valuesOf(translate(line).events, "tool");
    expect(tools.map((tool) => tool.inputJson)).toEqual(['{"x":1.0}', '{"x":2.0}']);
  });

  it("is an empty object where there is none", () => {
    const line = assistant([{ type: "tool_use", id: "t1", name: "Bash" }]);
    expect(valuesOf(translate(line).events, "tool")[0]?.inputJson).toBe("{}");
  });

  it("is whole at a depth of 1000", () => {
    const input = `${'{"a":'.repeat(1000)}1.0${"}".repeat(1000)}`;
    expect(valuesOf(translate(toolLine(input)).events, "tool")[0]?.inputJson).toBe(input);
  });

  it.each([3000, 10_000, 40_000])("is left out at a depth of %d, and says so", (depth) => {
    const input = `${"[".repeat(depth)}1${"]".repeat(depth)}`;
    const [tool] = valuesOf(translate(toolLine(input)).events, "tool");
    expect(tool).toMatchObject({ toolId: "t1", name: "Bash", inputJson: "", truncated: true });
    expect(tool?.totalBytes).toBeGreaterThanOrEqual(BigInt(input.length));
  });
});
