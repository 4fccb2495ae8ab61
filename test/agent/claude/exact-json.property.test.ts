import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyWrittenJson, writtenNumber } from "../../support/arbitrary-json.ts";
import { assistant, toolLine, translate, valuesOf } from "./lines.ts";

/** What becomes of `null`: a tool's input is at least an empty object. */
const orEmpty = (json: string) => (json === "null" ? "{}" : json);

describe("JSON that is passed on", () => {
  it("is to the byte what the model wrote, without the spaces, in every block of a message", () => {
    const inputs = fc.array(anyWrittenJson(), { minLength: 1, maxLength: 4 });
    const property = fc.property(inputs, fc.boolean(), (written, isSpaced) => {
      const blocks = written.map(
        ({ compact, spaced }, i) =>
          `{"type":"tool_use","id":"t${i}","name":"n","input":${isSpaced ? spaced : compact}}`,
      );
      const line = `{"type":"assistant","message":{"content":[${blocks.join()}]}}`;
      const tools = valuesOf(translate(line).events, "tool");
      expect(tools.map((tool) => tool.inputJson)).toEqual(
        written.map(({ compact }) => orEmpty(compact)),
      );
      expect(tools.filter((tool) => tool.truncated)).toEqual([]);
    });
    fc.assert(property, { numRuns: 1500 });
  });

  it("is so in a result, for its structured output and for what was denied", () => {
    const property = fc.property(
      anyWrittenJson(),
      fc.array(anyWrittenJson(), { maxLength: 3 }),
      (output, inputs) => {
        const denials = inputs.map(({ spaced }) => `{"tool_name":"n","tool_input":${spaced}}`);
        const line = `{"type":"result","structured_output":${output.spaced},"permission_denials":[${denials}]}`;
        const [result] = valuesOf(translate(line).events, "result");
        expect(result?.structuredOutputJson).toBe(output.compact);
        expect(result?.permissionDenials.map((denial) => denial.inputJson)).toEqual(
          inputs.map(({ compact }) => compact),
        );
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it("holds of a name that is written twice what was written last", () => {
    const property = fc.property(writtenNumber, writtenNumber, anyWrittenJson(2), (a, b, other) => {
      const input = `{"n":${a},"o":${other.compact},"n":${b}}`;
      const [tool] = valuesOf(translate(toolLine(input)).events, "tool");
      expect(tool?.inputJson).toBe(`{"n":${b},"o":${other.compact}}`);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe("a value that is nested ever deeper", () => {
  const depth = fc.oneof(fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 1, max: 16_000 }));
  const nesting = fc.constantFrom(["[", "]"], ['{"a":', "}"], ['[{"b":[', "]}]"]);
  const leaf = fc.constantFrom("1.0", "{}", '"x"', "null");

  it("is passed on whole or left out with its size told, and breaks nothing", () => {
    const property = fc.property(depth, nesting, leaf, (levels, [open = "", close = ""], inner) => {
      const input = open.repeat(levels) + inner + close.repeat(levels);
      const [tool] = valuesOf(translate(toolLine(input)).events, "tool");
      expect(tool).toMatchObject({ toolId: "t1", name: "Bash" });
      if (tool?.truncated) expect(levels * (open.length > 5 ? 3 : 1)).toBeGreaterThan(1990);
      else expect(tool?.inputJson).toBe(input);
      // Where it is left out its numbers are not looked at: "1" for "1.0".
      const size = BigInt(input.length - (inner === "1.0" ? 2 : 0));
      if (tool?.truncated) expect(tool).toMatchObject({ inputJson: "", totalBytes: size });
    });
    fc.assert(property, { numRuns: 30 });
  });

  it("breaks nothing wherever in a line it stands, closed or not", () => {
    const places = [
      (bomb: string) => bomb,
      (bomb: string) => `{"type":"assistant","message":${bomb}}`,
      (bomb: string) => `{"type":"assistant","message":{"content":${bomb}}}`,
      (bomb: string) =>
        `{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","content":${bomb}}]}}`,
      (bomb: string) => `{"type":"system","subtype":"init","session_id":"s","agents":${bomb}}`,
      (bomb: string) =>
        `{"type":"result","result":"x","permission_denials":[{"tool_input":${bomb}}]}`,
      (bomb: string) =>
        `{"type":"result","structured_output":${bomb},"errors":${bomb},"usage":${bomb}}`,
      (bomb: string) =>
        `{"type":"system","subtype":"task_started","description":${bomb},"x":${bomb}}`,
    ];
    const property = fc.property(
      depth,
      nesting,
      fc.boolean(),
      fc.constantFrom(...places),
      (levels, [open = "", close = ""], isClosed, place) => {
        const bomb = `${open.repeat(levels)}1.0${isClosed ? close.repeat(levels) : ""}`;
        const { events } = translate(place(bomb), assistant([{ type: "text", text: "on" }]));
        const isOver = events.some((event) => event.case === "result");
        expect(isOver || valuesOf(events, "text").at(-1)?.text === "on").toBe(true);
      },
    );
    fc.assert(property, { numRuns: 50 });
  });
});
