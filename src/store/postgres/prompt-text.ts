import { foldCase, searchedText } from "../prompt-text.ts";

const TRIGRAM = 3;
/** More of what is looked for only costs: what is found is looked at itself. */
const MOST_TRIGRAMS = 40;

/** A condition: a turn's prompt has a text, which is `searchable`. */
export const hasText = (parameter: string) => `strpos(searched_text, ${parameter}) > 0`;

/** The beginning of a prompt as it is kept to be searched, and all three characters that stand side by side in it. */
export function indexedText(prompt: string): { text: string; trigrams: string[] } {
  const text = searchable(searchedText(prompt));
  return { text, trigrams: trigramsOf(text, 1) };
}

/** What is looked for, and the trigrams that a turn must have for it; none where it is too short for the index. */
export function queryOf(query: string): { text: string; trigrams: string[] } {
  const text = searchable(foldCase(query));
  return { text, trigrams: trigramsOf(text, TRIGRAM).slice(0, MOST_TRIGRAMS) };
}

/** As PostgreSQL can keep it: it has no place for a zero in a text, nor for half a character. */
function searchable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** @param step - How far the next one is from the one before; the last is always there. */
function trigramsOf(text: string, step: number): string[] {
  const characters = Array.from(text);
  const last = characters.length - TRIGRAM;
  const found = new Set<string>();
  for (let at = 0; at <= last; at += step) found.add(characters.slice(at, at + TRIGRAM).join(""));
  if (last >= 0) found.add(characters.slice(last).join(""));
  return [...found];
}
