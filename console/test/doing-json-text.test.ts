import { describe, expect, it } from "vitest";
import { jsonProblem, laidOut } from "../src/doing/json-text.ts";

describe("jsonProblem", () => {
  it.each([
    ["{}", undefined],
    [' {"a": [1, {"b": "\\u202e"}], "c": -0.10e+5} \n', undefined],
    ["", { what: "unfinished", line: 1, column: 1 }],
    ["[1]", { what: "no-object", line: 1, column: 1 }],
    ['{"a":}', { what: "unexpected", line: 1, column: 6 }],
    ['{"a": 1,}', { what: "unexpected", line: 1, column: 9 }],
    ['{\n  "a": 01\n}', { what: "unexpected", line: 2, column: 9 }],
    ['{\n  "😀": x }', { what: "unexpected", line: 2, column: 8 }],
    ['{"a": "one\ntwo"}', { what: "bad-text", line: 1, column: 11 }],
    ['{"a": "\\x"}', { what: "bad-text", line: 1, column: 8 }],
    ['{"a": "b', { what: "unfinished", line: 1, column: 9 }],
    ['{"a": 1} {', { what: "more", line: 1, column: 10 }],
    ["{'a': 1}", { what: "unexpected", line: 1, column: 2 }],
  ])("finds in %j %j", (text, problem) => {
    expect(jsonProblem(text)).toEqual(problem);
    let isObject = true;
    try {
      isObject = !Array.isArray(JSON.parse(text));
    } catch {
      isObject = false;
    }
    expect(jsonProblem(text) === undefined).toBe(isObject);
  });

  it("says of a depth that breaks readers that it is one", () => {
    expect(jsonProblem(`{"a":${"[".repeat(100_000)}`)).toMatchObject({ what: "too-deep" });
  });

  it("takes a long text at once", () => {
    const text = `{"a": "${"x\\n".repeat(300_000)}"}`;
    expect(jsonProblem(text)).toBeUndefined();
    expect(jsonProblem(text.slice(0, -2))).toMatchObject({ what: "unfinished" });
  });
});

describe("laidOut", () => {
  it("changes no digit and no escape", () => {
    const text =
      '{"id":12345678901234567890,"e":1.10,"s":"\\u0041\\/","n":{},"l":[],"m":[1,{"k":null}]}';
    const laid = laidOut(text);
    expect(laid).toContain('"id": 12345678901234567890,\n');
    expect(laid).toContain('"e": 1.10');
    expect(laid).toContain('"\\u0041\\/"');
    expect(laid.replaceAll(/\n */g, "").replaceAll('": ', '":')).toBe(text);
  });

  it("leaves what is no object as it is", () => {
    expect(laidOut("{oops")).toBe("{oops");
  });
});
