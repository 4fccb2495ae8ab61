/** The languages that the page speaks. */
export const LANGUAGES = ["en", "de"] as const;
export type Language = (typeof LANGUAGES)[number];

/** The language of the page: the first that the browser asks for and that there is. */
export const language: Language = chosenLanguage(globalThis.navigator?.languages ?? []);

/** @param wanted - Tags such as `de-AT`, the best first. */
export function chosenLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split("-", 1)[0];
    const known = LANGUAGES.find((language) => language === primary);
    if (known !== undefined) return known;
  }
  return "en";
}
