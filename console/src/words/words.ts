import { de } from "./de.ts";
import { en, type Words } from "./en.ts";

const LANGUAGES = { en, de } as const;
type Language = keyof typeof LANGUAGES;

/** The language of the page: the first that the browser asks for and that there is. */
export const language: Language = chosen(globalThis.navigator?.languages ?? []);

/** All words of the page, in its language. */
export const words: Words = LANGUAGES[language];

function chosen(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split("-", 1)[0] ?? "";
    if (Object.hasOwn(LANGUAGES, primary)) return primary as Language;
  }
  return "en";
}
