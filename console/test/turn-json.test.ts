import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Json, readJson, stringIn, valueIn } from "../src/turn/tool/json.ts";

/** What JSON.parse would have made of it. */
function plain(json: Json): unknown {
  switch (json.kind) {
    case "string":
      return json.text;
    case "other":
      return JSON.parse(json.text);
    case "array":
      return json.items.map(plain);
    case "object":
      // As JSON.parse does: `__proto__` is a key like others.
      return JSON.parse(
        `{${json.entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(plain(value))}`)}}`,
      );
  }
}

describe("JSON as it was written", () => {
  it("has the same values as the text, however it is set", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2, "\t"), (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(plain(readJson(text)!)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("keeps digits, order, and keys that are there twice", () => {
    const json = readJson('{"b":12345678901234567890.10,"2":-1e400,"1":[],"b":"\\\\\\"x\\\\"}');
    expect(json).toEqual({
      kind: "object",
      entries: [
        ["b", { kind: "other", text: "12345678901234567890.10" }],
        ["2", { kind: "other", text: "-1e400" }],
        ["1", { kind: "array", items: [] }],
        ["b", { kind: "string", text: '\\"x\\' }],
      ],
    });
    expect(stringIn(json, "b")).toBe('\\"x\\');
    expect(valueIn(json, "__proto__")).toBeUndefined();
  });

  it.each(["", "{", "{'a':1}", "[1,]", "undefined", "1 2"])("does not take %j", (text) => {
    expect(readJson(text)).toBeUndefined();
  });

  it("does not go deeper than anybody could see", () => {
    const deep = 5000;
    expect(readJson("[".repeat(deep) + "]".repeat(deep))).toBeUndefined();
  });
});
