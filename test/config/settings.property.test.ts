import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readClientConfig } from "../../src/config/client-config.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import { readServeConfig } from "../../src/config/serve-config.ts";
import type { Setting } from "../../src/config/setting.ts";
import { readSettings } from "../../src/config/setting.ts";
import { COMMAND_SETTINGS } from "../../src/config/settings/commands.ts";
import { ALL_SETTINGS, SERVE_SETTINGS } from "../../src/config/settings/sections.ts";

const ROWS: [string, Setting][] = Object.entries({ ...SERVE_SETTINGS, ...COMMAND_SETTINGS });
const NUMBERS = ALL_SETTINGS.filter(({ kind }) => kind.bounds !== undefined);

const ODD_LETTERS = [..."a0 \n\0,:/-é\u202e", "\ud800"];

/** What is read of one setting, and what is said of it. */
function readOne(setting: Setting, text: string | undefined) {
  const problems: string[] = [];
  const { value } = readSettings({ value: setting }, { [setting.variable]: text }, problems);
  return { value, problems };
}

describe("every setting", () => {
  it("is in the documents once", () => {
    expect(ALL_SETTINGS.map(({ variable }) => variable).sort()).toEqual(
      ROWS.map(([, { variable }]) => variable).sort(),
    );
    expect(new Set(ALL_SETTINGS.map(({ variable }) => variable)).size).toBe(ALL_SETTINGS.length);
  });

  it.each(ROWS)("is named like its variable, seconds like milliseconds: %s", (property, row) => {
    const words = row.variable.slice("BREAKGLASS_".length).toLowerCase().split("_");
    const last = words.at(-1) === "seconds" ? [...words.slice(0, -1), "ms"] : words;
    const name = last.map(
      (word, index) => (index ? word[0]?.toUpperCase() : word[0]) + word.slice(1),
    );
    expect(property).toBe(name.join(""));
    const unit = { seconds: "seconds", bytes: "bytes" }[words.at(-1)!];
    if (unit !== undefined) expect(row.kind.bounds?.unit).toBe(unit);
    if (row.kind.bounds?.unit === "seconds") expect(property).toMatch(/Ms$/);
    if (row.kind.bounds?.unit === "bytes") expect(property).toMatch(/Bytes(?:PerSecond)?$/);
  });

  it.each(ROWS)("can be what it is by default: %s", (_property, row) => {
    const { value, problems } = readOne(row, undefined);
    expect(problems).toEqual([]);
    expect(value === undefined).toBe(row.default === undefined);
    if (row.default) expect(readOne(row, row.default)).toEqual({ value, problems: [] });
  });

  it.each(ROWS)("says what it takes, in one line and in sentences: %s", (_property, row) => {
    expect(row.kind.takes).toMatch(/^[^\n|]+$/);
    expect(row.does).toMatch(/^[A-Z][^\n|]*\.$/);
  });

  it("is refused in one line that begins with its name", () => {
    const texts = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...ODD_LETTERS) }));
    fc.assert(
      fc.property(fc.constantFrom(...ALL_SETTINGS), texts, (row, text) => {
        const { value, problems } = readOne(row, text);
        if (problems.length === 0) return;
        expect(value).toBeUndefined();
        expect(problems).toHaveLength(1);
        expect(problems[0]).not.toContain("\n");
        expect(problems[0]!.startsWith(`${row.variable} is `)).toBe(true);
        expect(problems[0]!.endsWith(`, but takes ${row.kind.takes}`)).toBe(true);
        expect(problems[0]!.includes(JSON.stringify(text))).toBe(!row.isSecret);
      }),
      { numRuns: 500 },
    );
  });
});

describe("a number", () => {
  it.each(NUMBERS.map((row) => [row.variable, row] as const))(
    "has its bounds: %s",
    (_name, row) => {
      const { least, most, unit } = row.kind.bounds!;
      const factor = unit === "seconds" ? 1000 : 1;
      const taken = (value: number) => readOne(row, String(value)).value;
      expect(taken(least)).toBe(least * factor);
      expect(taken(most)).toBe(most * factor);
      expect(taken(least - 1)).toBeUndefined();
      expect(taken(most + 1)).toBeUndefined();
      expect(row.kind.takes).toMatch(`from ${least} `);
      expect(row.kind.takes).toMatch(`to ${most}`);
      expect(row.kind.takes.includes(unit)).toBe(unit !== "things");
    },
  );

  it("is taken between its bounds, nowhere else, and in digits only", () => {
    const numbers = fc.oneof(fc.nat({ max: 200_000 }), fc.maxSafeNat(), fc.integer());
    fc.assert(
      fc.property(fc.constantFrom(...NUMBERS), numbers, (row, number) => {
        const { least, most } = row.kind.bounds!;
        const isTaken = readOne(row, String(number)).problems.length === 0;
        expect(isTaken).toBe(number >= least && number <= most);
        for (const text of [
          `${number}.0`,
          `+${number}`,
          ` ${number}`,
          `${number}k`,
          `0x${number}`,
        ]) {
          expect(readOne(row, text).problems, text).toHaveLength(1);
        }
      }),
    );
  });
});

describe("a secret", () => {
  const secrets = ALL_SETTINGS.filter(({ isSecret }) => isSecret);

  it("is what opens something by itself", () => {
    const names = secrets.map(({ variable }) => variable);
    // An address may hold a password.
    expect(names.sort()).toEqual([
      "BREAKGLASS_NOTIFY_URL",
      "BREAKGLASS_OTLP_HEADERS",
      "BREAKGLASS_STORE",
      "BREAKGLASS_TOKEN",
    ]);
  });

  it("is never printed: neither where it is refused nor under a name that is not known", () => {
    const refused = fc.stringMatching(/^[a-z]{8,20} [a-z]{8,20}$/);
    const names = secrets.flatMap(({ variable }) => [
      variable,
      `${variable}X`,
      variable.toLowerCase(),
    ]);
    fc.assert(
      fc.property(fc.constantFrom(...names), refused, (name, text) => {
        const asClient = () => readClientConfig(undefined, { [name]: text });
        const asServer = () =>
          readServeConfig({ HOME: "/h", [name]: text, BREAKGLASS_LISTEN: "nowhere" });
        // Commands do not look at what is the server's.
        const isServers = name !== "BREAKGLASS_TOKEN";
        for (const read of isServers ? [asServer] : [asClient, asServer]) {
          const message = messageOf(read);
          for (const part of text.split(" ")) expect(message).not.toContain(part);
        }
      }),
    );
  });
});

function messageOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}
