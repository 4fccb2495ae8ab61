import type { Change } from "diff";
import { isFullOfSigns } from "../ui/visible-text.ts";

/** A line of what was changed: as it was, as it is, or in both. Of a long text it may be several lines. */
export interface ChangedLine {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
}

/** Above so many characters nothing is compared: it would take too long. All was removed, and all added. */
const MOST_COMPARED = 200_000;
/** Texts that have little in common take much longer than their size says: then it is the same. */
const MOST_MS = 50;
/** Above so many lines those of one kind that follow each other are one: a node for each would be too many. */
const MOST_LINES = 2000;

/** What was changed in a text, line by line. */
export async function changedLines(before: string, after: string): Promise<ChangedLine[]> {
  const changes = await comparedOf(before, after);
  const lines = changes?.flatMap((change) => linesOf(kindOf(change), change.value));
  return bounded(lines ?? [...linesOf("removed", before), ...linesOf("added", after)]);
}

/** Undefined: to compare them would take too long. */
async function comparedOf(before: string, after: string): Promise<Change[] | undefined> {
  if (before.length + after.length > MOST_COMPARED) return undefined;
  if (isFullOfSigns(before + after)) return undefined;
  const { diffLines } = await import("diff");
  return diffLines(before, after, { timeout: MOST_MS });
}

function bounded(lines: ChangedLine[]): ChangedLine[] {
  const isFull = () => isFullOfSigns(lines.map(({ text }) => text).join("\n"));
  if (lines.length <= MOST_LINES && !isFull()) return lines;
  const runs: { kind: ChangedLine["kind"]; texts: string[] }[] = [];
  for (const { kind, text } of lines) {
    const last = runs.at(-1);
    if (last?.kind === kind) last.texts.push(text);
    else runs.push({ kind, texts: [text] });
  }
  return runs.map(({ kind, texts }) => ({ kind, text: texts.join("\n") }));
}

function kindOf({ added, removed }: Change): ChangedLine["kind"] {
  if (added) return "added";
  return removed ? "removed" : "same";
}

function linesOf(kind: ChangedLine["kind"], text: string): ChangedLine[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => ({ kind, text: line }));
}
