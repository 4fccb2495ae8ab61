import type { Row, ToolRow } from "../rows.svelte.ts";

/** A row's padding. */
const AROUND = 8;
const LINE = 22;
const OUTPUT_LINE = 19;
/** A call without what it answered. */
const CALL = 85;
/** Of a longer output so many lines are shown, and how many more there are. */
const OUTPUT_LINES = 9;
/** Letters in a line of prose. */
const COLUMNS = 90;
/** Longer texts are not looked through. In UTF-16 units. */
const LOOKED_AT = 2000;

/**
 * How high a row is likely to be, in pixels, as the page is on a laptop: a row that is seen for the first time moves nothing where that was right,
 * and costs a look at all rows where it was wrong.
 */
export function likelyHeight(row: Row): number {
  if (row.kind === "tool") return CALL + outputHeight(row);
  if (row.kind !== "event") return 48;
  const { kind } = row.event;
  if (kind.case === "text") return AROUND + proseLines(kind.value.text) * LINE;
  return kind.case === "result" || kind.case === "error" ? 200 : 32;
}

function outputHeight({ result }: ToolRow): number {
  if (result === undefined) return 0;
  return Math.min(OUTPUT_LINES, linesIn(result.content.slice(0, LOOKED_AT))) * OUTPUT_LINE;
}

function proseLines(text: string): number {
  const seen = text.slice(0, LOOKED_AT);
  return linesIn(seen) + Math.floor(seen.length / COLUMNS);
}

function linesIn(text: string): number {
  let lines = text.endsWith("\n") ? 0 : 1;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}
