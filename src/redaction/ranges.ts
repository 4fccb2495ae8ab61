/** A part of a text, in UTF-16 units. */
export interface TextRange {
  readonly start: number;
  /** Behind its last unit. */
  readonly end: number;
}

/** What stands in the place of a secret. */
export const MARK = "[redacted]";

/** Ranges in their order, those that touch made one. */
export function mergedRanges(ranges: TextRange[]): TextRange[] {
  if (ranges.length <= 1) return ranges;
  const merged: TextRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last === undefined || range.start > last.end) merged.push(range);
    else merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
  }
  return merged;
}

/**
 * A part of a text with a mark in the place of each range.
 *
 * @param ranges - In their order, apart from each other.
 * @param isMarked - Of a range that began before the part: whether its mark stands there already.
 */
export function replaced(
  text: string,
  ranges: readonly TextRange[],
  from = 0,
  to = text.length,
  isMarked = false,
): string {
  let [result, at] = ["", from];
  for (const { start, end } of ranges) {
    if (end <= from || start >= to) continue;
    if (start > at) result += text.slice(at, start);
    if (start >= from || !isMarked) result += MARK;
    at = Math.min(end, to);
  }
  return result + text.slice(at, to);
}
