import type { Change } from "diff";

/** A line of what was changed: as it was, as it is, or in both. */
export interface ChangedLine {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
}

/** Above so many characters nothing is compared: it would take too long. All was removed, and all added. */
const MOST_COMPARED = 200_000;

/** What was changed in a text, line by line. */
export async function changedLines(before: string, after: string): Promise<ChangedLine[]> {
  if (before.length + after.length > MOST_COMPARED) {
    return [...linesOf("removed", before), ...linesOf("added", after)];
  }
  const { diffLines } = await import("diff");
  return diffLines(before, after).flatMap((change) => linesOf(kindOf(change), change.value));
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
