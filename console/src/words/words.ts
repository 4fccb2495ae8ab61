import { de } from "./de.ts";
import { en, type Words } from "./en.ts";
import { formatsOf } from "./formats.ts";
import { type Language, language } from "./language.ts";

export { language };

const ALL: Readonly<Record<Language, Words>> = { en, de };

/** All words of the page, in its language. */
export const words: Words = ALL[language];

/** Times, sums and counts, in the page's language. */
export const formats = formatsOf(language);
