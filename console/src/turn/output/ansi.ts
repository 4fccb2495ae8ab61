import Anser from "anser";

/** A part of a line in one look. */
export interface Colored {
  readonly text: string;
  readonly classes: readonly string[];
}

/** Every escape that is not a colour: it stays, and is shown as the sign that it is. */
const NO_COLOR = /\u001b(?!\[[\d;]{0,64}m)/g;
/** Stands for such an escape while colours are read; no text of ours has it, and another's is shown as a sign too. */
const KEPT = "\u009b";
const PALETTE = /^ansi-palette-\d+$/;

/** The parts of a line by their colours. Colours beyond the sixteen are left out: not all of them could be read on both grounds. */
export function colored(line: string): Colored[] {
  if (!line.includes("\u001b")) return [{ text: line, classes: [] }];
  const parts = Anser.ansiToJson(line.replace(NO_COLOR, KEPT), {
    json: true,
    use_classes: true,
    remove_empty: true,
  });
  return parts.map(({ content, fg, bg, decorations }) => ({
    text: content.replaceAll(KEPT, "\u001b"),
    classes: [
      ...(isOfSixteen(fg) ? [`fg-${fg}`] : []),
      ...(isOfSixteen(bg) ? [`bg-${bg}`] : []),
      ...decorations.filter((name) => name !== "blink" && name !== "hidden"),
    ],
  }));
}

function isOfSixteen(name: string | null): name is string {
  return (
    typeof name === "string" &&
    name.startsWith("ansi-") &&
    !PALETTE.test(name) &&
    name !== "ansi-truecolor"
  );
}
