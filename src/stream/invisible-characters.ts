/**
 * The characters that do not show as what they are, which text of others must not carry raw into a terminal or a log:
 * the C0 controls but newline and tab, DEL and C1 (they move the cursor, color, retitle, ring), the separators of lines and
 * paragraphs, the controls of writing direction (they reorder what is read), the ones without width and the tags (they
 * hide text), and surrogates without their half.
 *
 * For `replace` and `replaceAll`, which begin anew each time: as it is global, `test` and `exec` would keep their place.
 */
export const INVISIBLE_CHARACTERS =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ud800-\udfff\u{e0000}-\u{e007f}]/gu;

/** One of them as JSON text has it, where it means the same. */
export function jsonEscaped(character: string): string {
  return character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
