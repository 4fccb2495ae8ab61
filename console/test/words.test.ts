import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { de } from "../src/words/de.ts";
import { en } from "../src/words/en.ts";
import { formatsOf } from "../src/words/formats.ts";
import { chosenLanguage } from "../src/words/language.ts";

/** What is the same in both: names, units, words that German has too, and what stands in for an argument. */
const SAME =
  /\b(?:breakglass|Agent|Tokens?|Filter|Person|Name|Start|JSON|Markdown|Text|Links?|Version|Server|Proxy|viewer|operator|approver|admin|Details|HTTP|B|kB|ms|s|min|h|x|undefined)\b/g;

function isSame(text: string): boolean {
  return !/\p{L}/u.test(text.replace(SAME, ""));
}

type Leaf = readonly [path: string, value: unknown];

function leaves(value: unknown, path = ""): Leaf[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`));
}

/** A leaf as a text, whatever it takes. Undefined: it cannot be called so. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "function") return undefined;
  for (const sample of [7, "x", 7n, ["x"], new Date(0)]) {
    try {
      const text: unknown = value(...Array.from({ length: value.length }, () => sample));
      if (typeof text === "string") return text;
    } catch {}
  }
  return undefined;
}

const inEnglish = new Map(leaves(en));
const inGerman = new Map(leaves(de));

describe("the words", () => {
  it("are the same in both languages, by name and kind", () => {
    expect([...inGerman.keys()].sort()).toEqual([...inEnglish.keys()].sort());
    for (const [path, value] of inEnglish) {
      expect(typeof inGerman.get(path), path).toBe(typeof value);
    }
  });

  it("are none of them English in German", () => {
    const left = [...inEnglish].filter(([path, value]) => {
      const english = textOf(value);
      return english !== undefined && !isSame(english) && textOf(inGerman.get(path)) === english;
    });
    expect(left.map(([path, value]) => `${path}: ${textOf(value)}`)).toEqual([]);
  });

  it("name commands that there are", () => {
    const folder = new URL("../src/words/", import.meta.url);
    const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"));
    const named = texts.flatMap((text) =>
      [...text.matchAll(/breakglass ([a-z]+)/g)].map(([, name]) => name),
    );
    const commands = readFileSync(new URL("../../docs/commands.md", import.meta.url), "utf8");
    expect(named).toContain("doctor");
    expect(
      named.filter((name) => !commands.includes(`\`${name}\``) && !commands.includes(`\`${name} `)),
    ).toEqual([]);
  });

  it("are none of them empty where the other language says something", () => {
    const empty = [...inEnglish].filter(
      ([path, value]) => (textOf(value) === "") !== (textOf(inGerman.get(path)) === ""),
    );
    expect(empty.map(([path]) => path)).toEqual([]);
  });

  it.each([
    [["de-AT", "en"], "de"],
    [["fr", "de"], "de"],
    [["EN-gb"], "en"],
    [["fr"], "en"],
    [[], "en"],
  ])("are in the language that the browser asks for: %j", (wanted, language) => {
    expect(chosenLanguage(wanted)).toBe(language);
  });
});

describe("a duration", () => {
  it.each([
    [-5, "0 s"],
    [999, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [252_000, "4 min 12 s"],
    [7_500_000, "2 h 5 min"],
    [90_061_000, "1 d 1 h"],
    [86_400_000 + 60_000, "1 d"],
  ])("of %i ms is %s", (ms, text) => {
    expect(formatsOf("en").duration(ms)).toBe(text);
  });
});
