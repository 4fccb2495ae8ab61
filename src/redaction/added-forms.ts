import type { TextRange } from "./ranges.ts";

/**
 * Forms that the preset has no rule for, or too narrow a one, and no option to widen it (13.1). Each begins at a fixed word and
 * runs over one class of units: a text is looked through in one pass.
 */
const FORMS: readonly (readonly [word: string, form: RegExp])[] = [
  // Our own tokens (`breakglass token create`), which no set of rules knows. A name of ours in lower case is none.
  ["breakglass_", /breakglass_(?=[a-z0-9_-]{0,42}[A-Z])[A-Za-z0-9_-]{43}/g],
  // JWTs: signed, in three parts (RFC 7515), or encrypted, in five (RFC 7516). Each header is JSON, `{"` in base64.
  [
    "eyJ",
    /(?<![\w-])eyJ[\w-]{8,}\.(?:eyJ[\w-]{4,}\.[\w-]{16,}|[\w-]*\.[\w-]{8,}\.[\w-]+\.[\w-]{16,})/g,
  ],
  // Private keys in PEM, of any kind and length: the preset's rule takes 100 units or more, and a key of Ed25519 has 64. Also
  // encrypted ones, with their headers, and lines as tools print them: with numbers, arrows, quotes of mails and diffs.
  [
    "-----BEGIN",
    /-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:[\w+/=\s\\:,.→│|>#*]|-(?!----)){40,16000}-----END (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----/g,
  ],
];

/** Where they stand in a text. */
export function findAddedForms(text: string): TextRange[] {
  const ranges: TextRange[] = [];
  for (const [word, form] of FORMS) {
    if (!text.includes(word)) continue;
    for (const { index, 0: found } of text.matchAll(form)) {
      ranges.push({ start: index, end: index + found.length });
    }
  }
  return ranges;
}
