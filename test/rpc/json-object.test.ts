import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isJsonObject } from "../../src/rpc/json-object.ts";

function parsesToObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

describe("isJsonObject", () => {
  it("says what JSON.parse says, of JSON and of what nearly is", () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value));
    const spaced = object.map((text) => text.replaceAll(/[,:{}[\]]/g, " $&\n\t"));
    const part = fc.constantFrom(...'{}[]:,"\\ \n\t0123456789.-+eEtrufalsn\u0001é', "\ud800", "");
    const mutated = fc
      .tuple(fc.oneof(object, spaced), fc.nat(), part, fc.nat(2))
      .map(([text, place, by, length]) => {
        const at = place % (text.length + 1);
        return text.slice(0, at) + by + text.slice(at + length);
      });
    const any = fc.oneof(
      object,
      spaced,
      mutated,
      fc.json(),
      fc.array(part).map((all) => all.join("")),
    );
    const property = fc.property(any, (text) => {
      expect(isJsonObject(text)).toBe(parsesToObject(text));
    });
    fc.assert(property, { numRuns: 20_000 });
  });

  it.each(["{}", " { } ", '{"a":[[],{}]}', '{"a":1e5}', '{"a":"\\u00e9"}', '{"a":{"b":null}}'])(
    "takes %s",
    (text) => expect(isJsonObject(text)).toBe(true),
  );

  it.each(["", "[]", '"{}"', "{", "{}{}", '{"a":01}', '{"a":1,}', "{a:1}", '{"a":"\n"}', "{]"])(
    "does not take %s",
    (text) => expect(isJsonObject(text)).toBe(false),
  );
});
