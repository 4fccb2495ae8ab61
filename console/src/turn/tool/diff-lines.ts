import { structuredPatch } from "diff";

/** A line of a change: what went, what came, what stays around them, and where lines were left out. */
export interface DiffLine {
  readonly sign: "+" | "-" | " " | "@";
  readonly text: string;
}

const CONTEXT = 3;
/** More is shown as all gone and all new: to compare it would keep the page. In UTF-16 units. */
const MAX_COMPARED = 200_000;
const MAX_MS = 50;
/** A longer line is shown as several. In UTF-16 units. */
const MAX_LINE = 1000;

/** The lines that make one text another. */
export function diffLines(from: string, to: string): DiffLine[] {
  const compared =
    from.length + to.length <= MAX_COMPARED
      ? structuredPatch("", "", from, to, "", "", { context: CONTEXT, timeout: MAX_MS })
      : undefined;
  if (compared === undefined) return [...linesOf("-", from), ...linesOf("+", to)];
  return compared.hunks.flatMap(({ lines }, index) => [
    ...(index > 0 ? [{ sign: "@", text: "" } as const] : []),
    ...lines.filter((line) => !line.startsWith("\\")).flatMap(cut),
  ]);
}

/** The lines of a text that is new as a whole, or gone as a whole. */
export function linesOf(sign: "+" | "-", text: string): DiffLine[] {
  if (text === "") return [];
  const whole = text.endsWith("\n") ? text.slice(0, -1) : text;
  return whole.split("\n").flatMap((line) => cut(sign + line));
}

function cut(line: string): DiffLine[] {
  const sign = line[0] as DiffLine["sign"];
  const lines: DiffLine[] = [];
  let start = 1;
  do {
    lines.push({ sign, text: line.slice(start, start + MAX_LINE) });
    start += MAX_LINE;
  } while (start < line.length);
  return lines;
}
