import { KnownForms, LONGEST_FORM } from "./known-forms.ts";
import { LiteralMatcher } from "./literal-matcher.ts";
import { opaqueRanges } from "./opaque-ranges.ts";
import { mergedRanges, type TextRange } from "./ranges.ts";
import { formsOf, LEAST_VALUE } from "./secret-values.ts";

/** What of a text is kept back at most because a secret may go on behind it, in units. */
export const MOST_OPEN = LONGEST_FORM;
/** What may stand before a secret and tells that it is one, such as `aws_secret_access_key = `. */
export const CONTEXT = 256;

const BEGIN = "-----BEGIN";
const PEM_END = /-----END[^-]{0,40}-----/;

/** Finds secrets in texts: values that are known, and credentials of well-known forms. */
export class SecretFinder {
  readonly #values: LiteralMatcher;
  readonly #forms = new KnownForms();

  /**
   * @param values - Those that are too short to be told from other text are left out.
   * @throws RangeError where there are too many.
   */
  constructor(values: readonly string[]) {
    const long = values.filter(({ length }) => length >= LEAST_VALUE);
    this.#values = new LiteralMatcher([...new Set(long.flatMap(formsOf))]);
  }

  /** Where secrets stand in a text, in their order, apart from each other. */
  find(text: string): TextRange[] {
    return mergedRanges([...this.#values.find(text), ...this.#forms.find(text)]);
  }

  /**
   * As `find`, for who decides whether a text is run: of forms that anybody can write only what hides nothing from them (see
   * `opaqueRanges`). Known values are found all: nobody can have them say something else.
   */
  findOpaque(text: string): TextRange[] {
    const forms = opaqueRanges(text, this.#forms.find(text));
    return mergedRanges([...this.#values.find(text), ...forms]);
  }

  /**
   * From where on the end of a text may belong to a secret that goes on behind it: its last word, a key that has begun, or
   * the beginning of a known value. No further back than `MOST_OPEN`.
   */
  openFrom(text: string): number {
    const least = Math.max(0, text.length - MOST_OPEN);
    const end = text.slice(least);
    const word = least + lastWord(end);
    const key = end.lastIndexOf(BEGIN);
    const isOpen = key !== -1 && !PEM_END.test(end.slice(key));
    return Math.min(word, isOpen ? least + key : text.length, this.#valueFrom(text));
  }

  /**
   * As `openFrom`, where that is likely: the last word looks like no word of a language.
   *
   * @returns Undefined: it is not.
   */
  likelyOpenFrom(text: string): number | undefined {
    const from = this.openFrom(text);
    if (from === text.length) return undefined;
    const end = text.slice(from);
    // It is whole: what may go on of it is found by it.
    if (this.find(end).some((range) => range.end === end.length)) return undefined;
    const isValue = text.length - this.#valueFrom(text) >= LEAST_LIKELY;
    return isValue || end.startsWith(BEGIN) || LIKELY.test(end) ? from : undefined;
  }

  #valueFrom(text: string): number {
    return text.length - this.#values.openLength(text.slice(-MOST_OPEN));
  }
}

/** So much of a known value at the end of a text is taken for its beginning. */
const LEAST_LIKELY = 4;
/** Eight units or more with what tokens and addresses have and words of a language do not, and no full stop behind them. */
const LIKELY = /^(?=.{8})(?:(?=.*[-0-9_=])(?=.*[A-Za-z0-9_+/=%-]$)|(?=.*(?::\/\/|-----|eyJ)))/s;

/** Where the last word of a text begins; its length where it ends with white space. */
function lastWord(text: string): number {
  for (let at = text.length; at > 0; at--) {
    const unit = text.charCodeAt(at - 1);
    if (unit === 0x20 || (unit >= 0x09 && unit <= 0x0d)) return at;
  }
  return 0;
}
