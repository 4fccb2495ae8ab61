import fc from "fast-check";

/** A JSON value as text, written without spaces and with some in every place that takes them. */
export interface WrittenJson {
  readonly compact: string;
  readonly spaced: string;
}

/** Numbers in every form that JSON has, most of which JavaScript writes in another. */
export const writtenNumber: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "-0",
    "1.0",
    "1e5",
    "1E+2",
    "9007199254740993",
    "1e400",
    "-1e-400",
    "0.10",
    "0e0",
  ),
  fc
    .tuple(
      fc.constantFrom("", "-"),
      fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.nat(1000)),
      fc.constantFrom("", ".0", ".50", ".000000000000000000001"),
      fc.constantFrom("", "", "e3", "E+10", "e-7", "e00"),
    )
    .map((parts) => parts.join("")),
);

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  // Looks like a number that needs care, and is none.
  fc.constantFrom(": 1.0", ",-0", "[1e5", "\ud800", "\u2028", '\\"', "__proto__", "toJSON"),
);

/**
 * Any JSON value as it can be written. Names are not of digits alone, which JavaScript puts first, and no name comes
 * twice in one object.
 */
export function anyWrittenJson(maxDepth = 4): fc.Arbitrary<WrittenJson> {
  const leaf = (written: string): WrittenJson => ({ compact: written, spaced: ` ${written}\n` });
  const name = text.filter((key) => !/^\d+$/.test(key));
  const { value } = fc.letrec<{ value: WrittenJson }>((tie) => {
    const entry = fc.tuple(name, tie("value"));
    const entries = fc.uniqueArray(entry, { selector: ([key]) => key, maxLength: 4 });
    return {
      value: fc.oneof(
        { maxDepth, depthIdentifier: "json" },
        writtenNumber.map(leaf),
        text.map((content) => leaf(JSON.stringify(content))),
        fc.constantFrom("true", "false", "null").map(leaf),
        fc.array(tie("value"), { maxLength: 4, depthIdentifier: "json" }).map(writtenArray),
        entries.map(writtenObject),
      ),
    };
  });
  return value;
}

function writtenArray(items: readonly WrittenJson[]): WrittenJson {
  return {
    compact: `[${items.map(({ compact }) => compact).join()}]`,
    spaced: ` [\t${items.map(({ spaced }) => spaced).join(",  ")}] `,
  };
}

function writtenObject(entries: readonly [string, WrittenJson][]): WrittenJson {
  const named = entries.map(([name, value]) => [JSON.stringify(name), value] as const);
  return {
    compact: `{${named.map(([name, { compact }]) => `${name}:${compact}`).join()}}`,
    spaced: `{ ${named.map(([name, { spaced }]) => `${name} \r\n:${spaced}`).join(" ,")} }`,
  };
}
