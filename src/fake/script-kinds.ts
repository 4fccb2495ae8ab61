import { z } from "zod";
import { KIB, MIB } from "../config/quantity.ts";
import type { PromptPattern, SizedText } from "./script.ts";

// What stands in a script. The message of each is how "but takes …" goes on.

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 } as const;
const DURATION = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|min|h)$/;
const MOST_MS = 7 * 24 * 3_600_000;

const SIZE_UNITS = { "": 1, B: 1, KB: 1000, KiB: KIB, MB: 1_000_000, MiB: MIB } as const;
const SIZE = /^(\d{1,12}(?:\.\d{1,6})?) ?(B|KB|KiB|MB|MiB)?$/;
const MOST_BYTES = 64 * MIB;

/** How long something takes, in milliseconds. */
export const DURATION_FORM = "a duration such as 500ms, 2s or 1m, at most a week";

/** Undefined: it is none. */
export function readDuration(text: string): number | undefined {
  const [, number = "", unit = ""] = DURATION.exec(text) ?? [];
  if (unit === "") return undefined;
  const ms = Math.round(Number(number) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS]);
  return ms <= MOST_MS ? ms : undefined;
}

/** How large something is, such as `64KiB` or a number of bytes; undefined: it is none. */
export function readSize(text: string): number | undefined {
  const [matched, number = "", unit = ""] = SIZE.exec(text) ?? [];
  if (matched === undefined) return undefined;
  return Math.round(Number(number) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS]);
}

/** Says what is taken, whatever is wrong. */
export function taking(what: string) {
  return { error: what };
}

/** A map with those members and no others. */
export function fields<S extends z.core.$ZodLooseShape>(shape: S) {
  const names = Object.keys(shape).join(", ");
  return z.strictObject(shape, taking(`a map with ${names}`));
}

export const text = z.string(taking("a text"));

export const wholeNumber = (least: number, most: number) => {
  const said = taking(`a whole number from ${least} to ${most}`);
  return z.int(said).min(least, said).max(most, said);
};

export const flag = z.boolean(taking("true or false"));

export const duration = z.string(taking(DURATION_FORM)).transform((given, context) => {
  const ms = readDuration(given);
  if (ms === undefined) context.addIssue({ code: "custom", message: DURATION_FORM });
  return ms ?? 0;
});

const SIZE_FORM = "a size such as 100000, 64KiB or 3MB, at most 64MiB";
const size = z.union([z.string(), z.number()], taking(SIZE_FORM)).transform((given, context) => {
  const bytes = readSize(String(given));
  if (bytes === undefined || bytes > MOST_BYTES) {
    context.addIssue({ code: "custom", message: SIZE_FORM });
  }
  return bytes ?? 0;
});

const sizeOf = fields({ size }).transform(({ size: bytes }): SizedText => ({ bytes }));

/** A text, or `{ size: 1MB }`. */
export const sizedText = z.unknown().transform((given, context): SizedText => {
  if (typeof given === "string") return given;
  if (typeof given === "object" && given !== null && !Array.isArray(given)) {
    const parsed = sizeOf.safeParse(given);
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues) {
      context.addIssue({ code: "custom", path, message });
    }
  } else context.addIssue({ code: "custom", message: "a text, or a map with size" });
  return "";
});

/** The input of a tool. */
export const toolInput = z.record(z.string(), z.unknown(), taking("a map, which is the input"));

const PATTERN_FORM = "a text that the prompt contains, or a regular expression as /[Gg]ateway/i";

/** Which prompts a turn is for. */
export const promptPattern = z
  .string(taking(PATTERN_FORM))
  .min(1, taking(PATTERN_FORM))
  .transform((given, context): PromptPattern => {
    const [, source = "", flags = ""] = /^\/(.+)\/([a-z]*)$/s.exec(given) ?? [];
    if (source === "") return { text: given };
    try {
      new RegExp(source, flags);
    } catch (error) {
      const why = (error as Error).message;
      context.addIssue({
        code: "custom",
        message: `a regular expression, and this is none: ${why}`,
      });
    }
    return { source, flags };
  });
