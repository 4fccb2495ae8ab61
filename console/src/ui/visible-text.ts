/**
 * The characters that do not show as what they are, or that make others show as what they are not: controls but newline and tab, those of
 * writing direction, those without width, tags, separators, every space but the usual one, fillers that look like spaces, halves of
 * characters, and marks that are put around a letter, or onto it by the dozen until they cover the lines beside it.
 */
const INVISIBLE =
  /[^\P{C}\n\t]|[^\P{Z} ]|\p{Default_Ignorable_Code_Point}|\u2800|\p{Me}|(?<=\p{M}{3})\p{M}/gu;

/** What of prose may not stay as it is: there are scripts and signs that need the rest of the above. */
const INVISIBLE_IN_PROSE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\u{e0000}-\u{e007f}]/gu;

/** A text has no more parts than about this: each is a node of the page. */
const MOST_PARTS = 1000;

/** A part of a text: as it is, or the sign that stands for a character that nobody could see. */
export interface VisiblePart {
  readonly text: string;
  readonly isSign: boolean;
}

/**
 * Text of others, such as a command, as exactly what it is: each character of it can be seen, and none changes how the others show. Newline and
 * tab stay. `␛` and its like stand for the controls that have a sign, `⟨U+202E⟩` for the rest.
 */
export function visibleText(text: string): string {
  return text.replace(INVISIBLE, signOf);
}

/** The same for prose: joiners of letters and signs stay, what turns around what is read does not. */
export function visibleProse(text: string): string {
  return text.replace(INVISIBLE_IN_PROSE, signOf);
}

/**
 * The parts of {@link visibleText}, to show the signs as signs: what is written `⟨U+202E⟩` by its author is none. A text that is full of them
 * is from some place on shown as a sign as a whole.
 */
export function visibleParts(text: string): VisiblePart[] {
  const parts: VisiblePart[] = [];
  let end = 0;
  for (const found of text.matchAll(INVISIBLE)) {
    if (parts.length >= MOST_PARTS) {
      return [...parts, { text: visibleText(text.slice(end)), isSign: true }];
    }
    if (found.index > end) parts.push({ text: text.slice(end, found.index), isSign: false });
    const last = parts.at(-1);
    const sign = signOf(found[0]);
    // One part for a run of them: a text of nothing else is not a part for each.
    if (last?.isSign) parts[parts.length - 1] = { text: last.text + sign, isSign: true };
    else parts.push({ text: sign, isSign: true });
    end = found.index + found[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), isSign: false });
  return parts;
}

/** Whether a text has so many signs that it is not to be shown in pieces of its own. */
export function isFullOfSigns(text: string): boolean {
  return visibleParts(text).length > MOST_PARTS;
}

function signOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "␡";
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
