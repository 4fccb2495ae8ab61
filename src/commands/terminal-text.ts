import wrapAnsi from "wrap-ansi";
import { INVISIBLE_CHARACTERS, jsonEscaped } from "../stream/invisible-characters.ts";

declare const isPrintable: unique symbol;

/**
 * Text that may go to a terminal: what others wrote in it does not move the cursor, hide or reorder anything. It is made
 * by the functions here alone, and it is all that a `Terminal` takes: a line that forgets to make its text safe does not
 * compile.
 */
export type Printable = string & { readonly [isPrintable]: true };

/**
 * What does not show as what it is: beside the characters that no log carries, everything that Unicode has displays
 * ignore, such as the selectors of variants, which hide a byte each. The one selector right behind a pictogram stays: it
 * chooses between two pictures, and a second one is escaped.
 */
const UNSEEN = new RegExp(
  [
    INVISIBLE_CHARACTERS.source,
    "(?<!\\p{Extended_Pictographic})[\\ufe0e\\ufe0f]",
    "(?![\\ufe0e\\ufe0f])\\p{Default_Ignorable_Code_Point}",
    "[\\ufff9-\\ufffb]",
  ].join("|"),
  "gu",
);
/**
 * Where one of them is a part of how a text is spelled, and stays: between the signs of one picture, behind a digit that
 * becomes a key, between letters of Persian, and behind the sign of India's scripts that takes a vowel away.
 */
const SPELLING = new RegExp(
  [
    "(?<=\\p{Extended_Pictographic}[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]?)\\u200d(?=\\p{Extended_Pictographic})",
    "(?<=[0-9#*])\\ufe0f(?=\\u20e3)",
    "(?<=\\p{Script=Arabic})\\u200c(?=\\p{Script=Arabic})",
    "(?<=[\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d4d\\u0dca])[\\u200c\\u200d](?=\\p{L})",
  ].join("|"),
  "uy",
);
/** What looks like a space, and is none to whoever reads the text as a program. */
const ODD_SPACES = /(?! )\p{Space_Separator}|\u2800/gu;

/**
 * Makes text that others wrote safe to print: every character that does not show as what it is is shown as `\u{1b}`.
 * Newlines and tabs stay as they are; a carriage return before a newline is dropped.
 */
export function terminalText(text: string): Printable {
  return withNewlines(text).replace(UNSEEN, (character, at: number, whole: string) =>
    isSpelling(whole, at) ? character : escaped(character),
  ) as Printable;
}

/**
 * As {@link terminalText}; spaces that are not the common one, and what is a part of the spelling, are shown by their
 * numbers too. For what is to be judged.
 */
export function exactText(text: string): Printable {
  return withNewlines(text).replace(UNSEEN, escaped).replace(ODD_SPACES, escaped) as Printable;
}

/** As {@link terminalText}, each line but the first behind a margin, so that none passes for a line of the command's own. */
export function hangingText(text: string, margin = "  "): Printable {
  return terminalText(text).replaceAll("\n", `\n${margin}`) as Printable;
}

/** A text as {@link terminalText} shows it behind another one, which is on the screen already. */
export function textAfter(before: string, text: string): Printable {
  return terminalText(before + text).slice(terminalText(before).length) as Printable;
}

/** Makes JSON text safe to print without changing what it means. */
export function terminalJson(json: string): Printable {
  return json.replace(UNSEEN, jsonEscaped) as Printable;
}

/** The text on one line of at most `most` characters, an ellipsis included, safe to print. */
export function oneLine(text: string, most: number): Printable {
  // Bounded first: the text can be megabytes, and only its beginning is shown.
  const line = terminalText(
    text
      .slice(0, 4 * most)
      .replace(/(?:[ \t\n]|\r\n)+/g, " ")
      .trim(),
  );
  const characters = [...line];
  const whole = characters.length <= most && text.length <= 4 * most;
  return (whole ? line : `${characters.slice(0, most - 1).join("")}…`) as Printable;
}

/** What is written here in the code, around what was made safe before: print`turn ${oneLine(id, 60)}`. */
export function print(
  strings: TemplateStringsArray,
  ...values: readonly (Printable | number | bigint)[]
): Printable {
  return String.raw({ raw: strings }, ...values) as Printable;
}

/** Several texts as one. */
export function joined(texts: readonly Printable[], separator: string): Printable {
  return texts.join(separator) as Printable;
}

/** Every line that is not empty behind a margin. */
export function indented(text: Printable, margin: string): Printable {
  return text.replace(/^(?=.)/gm, margin) as Printable;
}

/** Every line behind a margin, those that are empty too. */
export function behindMargin(text: Printable, margin: string): Printable {
  return `${margin}${text.replaceAll("\n", `\n${margin}`)}` as Printable;
}

/** A text on one line as Markdown shows it, whatever Markdown has a meaning for. */
export function markdownText(line: Printable): Printable {
  return line.replace(/[\\`*_{}[\]<>#|!&~]/g, "\\$&") as Printable;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "amp",
  "<": "lt",
  ">": "gt",
  '"': "quot",
  "'": "#39",
};

/** A text as HTML shows it, between tags and in attributes. */
export function htmlText(text: string): Printable {
  return terminalText(text).replace(/[&<>"']/g, (found) => `&${ENTITIES[found]};`) as Printable;
}

/** What a line goes on with that was wrapped. */
const MARGIN = "    ";
/** Where there is less room wrapping makes nothing better. */
const LEAST_COLUMNS = 20;

/**
 * Lines of at most so many columns, parted at spaces and never within a word: an id stays whole, as long as it is. What
 * begins with two spaces is a command, an input or an output, which is to be copied, and stays as it is.
 *
 * @param columns - Undefined: the lines stay as they are.
 */
export function wrapped(text: Printable, columns: number | undefined): Printable {
  if (columns === undefined || columns < LEAST_COLUMNS) return text;
  const lines = text.split("\n").map((line) => {
    if (line.startsWith("  ") || line.length <= columns) return line;
    // The first line leaves what the others need for their margin.
    const parted = wrapAnsi(line, columns - MARGIN.length, { hard: false });
    return parted.replaceAll("\n", `\n${MARGIN}`);
  });
  return lines.join("\n") as Printable;
}

/** Without the white space at the end. */
export function trimmed(text: Printable): Printable {
  return text.trimEnd() as Printable;
}

/**
 * A word as a shell takes it, for commands that are printed to be run: it is one argument, and never an option, whatever a
 * server made of it.
 */
export function shellWord(text: string): Printable {
  if (/^[\w.:/@%+=,][\w.:/@%+=,-]*$/.test(text)) return text as Printable;
  const shown = exactText(text)
    .replaceAll(/[\n\t]/g, escaped)
    .replace(/^-/, escaped)
    .replaceAll("'", "'\\''");
  return `'${shown}'` as Printable;
}

function withNewlines(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

function isSpelling(text: string, at: number): boolean {
  SPELLING.lastIndex = at;
  return SPELLING.test(text);
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}
