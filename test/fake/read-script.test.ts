import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/config-error.ts";
import { checkScript, readScript } from "../../src/fake/read-script.ts";
import { STEP_NAMES } from "../../src/fake/script-steps.ts";
import { pages } from "../docs/pages.ts";

/** What a script of those lines is refused with. */
function problemsOf(...lines: string[]): readonly string[] {
  try {
    readScript(lines.join("\n"), "s.yaml");
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

/** The same of one turn's steps, of which the first is on line 3. */
const ofSteps = (...steps: string[]) =>
  problemsOf("turns:", "  - steps:", ...steps.map((step) => `      - ${step}`));

describe("a script", () => {
  it("is read from YAML and from JSON alike", () => {
    const steps = [
      { text: "a" },
      { delay: "1.5s" },
      { tool: { name: "T", output: { size: "2KiB" } } },
    ];
    const json = JSON.stringify({ turns: [{ when: "/x/i", steps }] });
    const yaml = [
      ...["turns:", "- when: /x/i", "  steps:", "  - text: a", "  - delay: 1.5s"],
      ...["  - tool: { name: T, output: { size: 2KiB } }"],
    ];
    expect(readScript(json, "s")).toEqual(readScript(yaml.join("\n"), "s"));
    expect(readScript(json, "s").turns).toEqual([
      {
        when: { source: "x", flags: "i" },
        steps: [
          { do: "text", text: "a" },
          { do: "delay", ms: 1500 },
          { do: "tool", name: "T", input: {}, output: { bytes: 2048 }, isError: false, takesMs: 0 },
        ],
      },
    ]);
  });

  it.each([
    [
      "an unknown step",
      ["text: a", "tex: b"],
      /^s\.yaml:4: turns\[0\]\.steps\[1\]\.tex is not known: .* did you mean text\?$/,
    ],
    [
      "two keys in a step",
      ["{ text: a, delay: 1s }"],
      /^s\.yaml:3: turns\[0\]\.steps\[0\] is .*, but takes a map with one key/,
    ],
    [
      "a step that is no map",
      ["text"],
      /^s\.yaml:3: turns\[0\]\.steps\[0\] is "text", but takes a map with one key/,
    ],
    [
      "a duration without a unit",
      ["delay: 500"],
      /^s\.yaml:3: .*\.delay is 500, but takes a duration such as 500ms/,
    ],
    [
      "a duration in another unit",
      ["delay: 5 parsecs"],
      /^s\.yaml:3: .*\.delay is "5 parsecs", but takes a duration/,
    ],
    ["a duration of years", ["delay: 9000h"], /but takes a duration .* at most a week$/],
    [
      "a size that is none",
      ["text: { size: big }"],
      /^s\.yaml:3: .*\.text\.size is "big", but takes a size/,
    ],
    ["a size beyond all", ["text: { size: 65MiB }"], /takes a size .* at most 64MiB$/],
    [
      "an unknown member",
      ["tool: { name: T, outputs: x }"],
      /^s\.yaml:3: .*\.tool\.outputs is not known: .* takes a map with name, input, output/,
    ],
    [
      "a member that is missing",
      ["tool: { input: {} }"],
      /^s\.yaml:3: .*\.tool\.name is missing: it takes a text$/,
    ],
    [
      "a flag that is a word",
      ["tool: { name: T, is_error: 'no' }"],
      /\.is_error is "no", but takes true or false$/,
    ],
    ["a text that is a number", ["text: 5"], /\.text is 5, but takes a text/],
    [
      "a negative cost",
      ["result: { cost_usd: -1 }"],
      /\.cost_usd is -1, but takes a number of dollars/,
    ],
    [
      "an unknown failure",
      ["failure: crush"],
      /\.failure is "crush", but takes one of crash, no-result/,
    ],
    [
      "a mistake within a step",
      ["repeat: { times: 2, steps: [{ dealy: 1s }] }"],
      /repeat\.steps\[0\]\.dealy is not known: .* did you mean delay\?$/,
    ],
  ])("with %s is refused with the line and the mend", (_what, steps, said) => {
    expect(ofSteps(...steps)).toEqual([expect.stringMatching(said)]);
  });

  it.each([
    ["nothing", [""], /the script is null, but takes a map with turns$/],
    [
      "no turns",
      ["turns: []"],
      /^s\.yaml:1: turns is \[\], but takes a list of turns, one at least$/,
    ],
    [
      "two turns for all prompts",
      ["turns:", "- steps: []", "- steps: []"],
      /one turn without `when`/,
    ],
    [
      "an expression that is none",
      ["turns:", "- when: /(/", "  steps: []"],
      /^s\.yaml:2: turns\[0\]\.when is "\/\(\/", but takes a regular expression, and this is none/,
    ],
    [
      "a key twice",
      ["turns:", "- steps: []", "  steps: []"],
      /^s\.yaml:3: Map keys must be unique$/,
    ],
    ["what is no YAML", ["turns: [", "x: }"], /^s\.yaml:2: /],
  ])("that has %s is refused", (_what, lines, said) => {
    expect(problemsOf(...lines)[0]).toMatch(said);
  });

  it("tells several mistakes, and no more than can be read", () => {
    const problems = ofSteps(...Array.from({ length: 14 }, () => "tex: a"));
    expect(problems).toHaveLength(11);
    expect(problems.at(-1)).toBe("and 4 more mistakes");
  });

  it("that grows without end by its aliases is refused", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 9; i++) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(10)}]`);
    expect(problemsOf(...lines)[0]).toMatch(/alias/i);
  });

  it("of a program is refused likewise", () => {
    expect(() => checkScript({ turns: [{ steps: [{ delay: 5 }] }] })).toThrow(
      "the script: turns[0].steps[0].delay is 5, but takes a duration",
    );
  });
});

describe("docs/fake.md", () => {
  const { text } = pages().find(({ path }) => path === "docs/fake.md")!;
  const scripts = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, yaml = ""]) => yaml);

  it("has scripts that can be played", () => {
    expect(scripts.length).toBeGreaterThanOrEqual(3);
    for (const script of scripts) readScript(script, "docs/fake.md");
  });

  it("tells of every step, and shows most", () => {
    expect(STEP_NAMES.filter((name) => !text.includes(`\n| \`${name}\` |`))).toEqual([]);
  });
});
