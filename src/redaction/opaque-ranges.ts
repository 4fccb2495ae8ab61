import type { TextRange } from "./ranges.ts";

/** What no shell, and no other interpreter that we know, takes for more than a word. */
const WORD = /^[\w+/=.~%-]+$/;
/** Of an address: up to its password, and that. */
const PASSWORD = /^([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*:)([\w+=.~%-]+)@/i;
/** A key in whole lines, as RFC 7468 has them: between them there is no room for a command. */
const KEY =
  /^-----BEGIN [A-Z ]+-----(?:\\n|\r?\n)(?:[A-Za-z0-9+/]{64,76}(?:\\n|\r?\n))*[A-Za-z0-9+/]{0,76}={0,2}(?:\\n|\r?\n)-----END [A-Z ]+-----$/;

/**
 * Of ranges those that hide nothing from who decides whether a text is run: credentials that are one word, keys in whole
 * lines, and of addresses the password alone, so that it can be seen where they lead.
 */
export function opaqueRanges(text: string, ranges: readonly TextRange[]): TextRange[] {
  return ranges.flatMap(({ start, end }) => {
    const found = text.slice(start, end);
    if (WORD.test(found) || KEY.test(found)) return { start, end };
    const [, before = "", password = ""] = PASSWORD.exec(found) ?? [];
    if (password === "") return [];
    const begins = start + before.length;
    return { start: begins, end: begins + password.length };
  });
}
