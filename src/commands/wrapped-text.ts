import wrapAnsi from "wrap-ansi";
import { joined, type Printable } from "./terminal-text.ts";

/** What a line goes on with that was wrapped. */
const MARGIN = "    ";
/** Where there is less room wrapping makes nothing better. */
const LEAST_COLUMNS = 20;

/**
 * Lines of at most so many columns, parted at spaces and never within a word: an id stays whole, as long as it is. What
 * begins with two spaces is a command, an input or an output, which is to be copied, and stays as it is.
 *
 * @param columns - Undefined: the lines stay as they are.
 */
export function wrapped(text: Printable, columns: number | undefined): Printable {
  if (columns === undefined || columns < LEAST_COLUMNS) return text;
  const lines = text.split("\n").map((line) => {
    if (line.startsWith("  ") || line.length <= columns) return line;
    // Whatever can be shown has a width; the first line leaves what the others need for their margin.
    return wrapAnsi(line, columns - MARGIN.length, { hard: false }).replaceAll("\n", `\n${MARGIN}`);
  });
  return joined(lines as Printable[], "\n");
}
