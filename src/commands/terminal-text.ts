// What can move the cursor, color, retitle, ring or reorder: C0 but newline and tab, DEL, C1, and the line separators and
// bidirectional controls of Unicode.
const CONTROLS =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Makes text that others wrote safe to print: every control character is shown as `\u{1b}`. Newlines and tabs stay as they
 * are; a carriage return before a newline is dropped.
 */
export function terminalText(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(CONTROLS, (control) => `\\u{${control.charCodeAt(0).toString(16)}}`);
}

/** Makes JSON text safe to print without changing what it means. */
export function terminalJson(json: string): string {
  return json.replace(
    CONTROLS,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The text on one line of at most `most` characters, an ellipsis included, safe to print. */
export function oneLine(text: string, most: number): string {
  // Bounded first: the text can be megabytes, and only its beginning is shown.
  const line = terminalText(
    text
      .slice(0, 4 * most)
      .replace(/\s+/g, " ")
      .trim(),
  );
  const characters = [...line];
  const whole = characters.length <= most && text.length <= 4 * most;
  return whole ? line : `${characters.slice(0, most - 1).join("")}…`;
}
