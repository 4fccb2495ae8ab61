import { cutText } from "../stream/cut-text.ts";

/** Of a prompt its beginning is searched, as much of it as lists show. */
export const SEARCHED_BYTES = 4096;

/** The beginning of a prompt, as texts are looked for in it. */
export function searchedText(prompt: string): string {
  return foldCase(cutText(prompt, SEARCHED_BYTES));
}

/** Whether a text is in the beginning of a prompt: as it is, but for upper and lower case. */
export function hasText(prompt: string, text: string): boolean {
  return searchedText(prompt).includes(foldCase(text));
}

/** To upper case, for lower case has another sigma at the end of a word, and so not of a part of it. */
export function foldCase(text: string): string {
  return text.toUpperCase();
}
