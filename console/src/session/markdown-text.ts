/** Text as a block of code, by a fence that is longer than any inside. */
export function fenced(text: string, language = ""): string {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}${language}\n${text}${text.endsWith("\n") ? "" : "\n"}${fence}`;
}

/** Text within a line as code. */
export function inlineCode(text: string): string {
  if (text === "") return "";
  const line = text.replace(/\s+/g, " ");
  const ticks = "`".repeat(longestRun(line) + 1);
  // At its edges a space is taken off, and a backtick would be taken for one of the ticks.
  return ticks.length > 1 || line.startsWith(" ") ? `${ticks} ${line} ${ticks}` : `\`${line}\``;
}

/** Text as a quotation. What it opens ends with it. */
export function quoted(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `> ${line}`.trimEnd())
    .join("\n");
}

const FENCE = /^ {0,3}(`{3,}(?!.*`)|~{3,})(.*)$/;
/** What begins HTML that an empty line does not end. */
const ENDLESS_HTML = /^( {0,3})<(?=!|\?|(?:script|pre|style|textarea)\b)/i;

/**
 * What the agent wrote in Markdown, so that nothing that it opens is open after it: a fence is closed, and HTML that would go on to the end of
 * the document is text.
 */
export function prose(text: string): string {
  let open = "";
  const lines = text.split(/\r\n|\r|\n/).map((line) => {
    const [, marks = "", info = ""] = FENCE.exec(line) ?? [];
    if (open === "") {
      open = marks;
      return line.replace(ENDLESS_HTML, "$1\\<");
    }
    const closes = marks.startsWith(open[0]!) && marks.length >= open.length && info.trim() === "";
    if (closes) open = "";
    return line;
  });
  if (open !== "") lines.push(open);
  return lines.join("\n");
}

function longestRun(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 0);
}
