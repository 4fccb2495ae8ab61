/** A longer line is shown as several: what lays out text takes long for one of 5 MB. In UTF-16 units. */
const MAX_LINE = 1000;
/** Colours are carried on into the next line; of more codes than these only the newest. */
const MAX_CARRIED = 24;
const SGR = /\u001b\[[\d;]{0,64}m/g;

/**
 * The output of a tool in lines that can be shown each by itself. Only where lines begin is held beside the text.
 *
 * A line ends at a newline, or is cut after 1000 characters.
 */
export class OutputLines {
  readonly text: string;
  /** How many lines there are to show. */
  readonly length: number;
  /** How many lines the text has. */
  readonly wholeLines: number;
  readonly #starts: number[] = [];
  /** The colours that a line begins with, where it begins with some. */
  readonly #carried = new Map<number, string>();

  constructor(text: string) {
    this.text = text.endsWith("\n") ? text.slice(0, -1) : text;
    this.wholeLines = this.#cut();
    this.length = this.#starts.length;
    if (this.text.includes("\u001b[")) this.#carryColors();
  }

  /** A line as it came, with the colour codes before it that still hold. */
  line(index: number): string {
    return (this.#carried.get(index) ?? "") + this.#raw(index);
  }

  /** The line goes on in the next one. */
  isCut(index: number): boolean {
    const end = this.#starts[index + 1];
    return end !== undefined && this.text[end - 1] !== "\n";
  }

  /** The lines in which a text is found, whatever its case; at most so many. */
  find(wanted: string, max: number): number[] {
    const found: number[] = [];
    if (wanted === "") return found;
    const pattern = new RegExp(escaped(wanted), "giu");
    for (const { index } of this.text.matchAll(pattern)) {
      const line = this.#lineAt(index);
      if (found.at(-1) !== line) found.push(line);
      if (found.length >= max) break;
    }
    return found;
  }

  #raw(index: number): string {
    const start = this.#starts[index] ?? this.text.length;
    const end = this.#starts[index + 1] ?? this.text.length + 1;
    const line = this.text.slice(start, this.text[end - 1] === "\n" ? end - 1 : end);
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }

  #cut(): number {
    let whole = 0;
    for (let start = 0; start <= this.text.length; whole++) {
      const newline = this.text.indexOf("\n", start);
      const end = newline === -1 ? this.text.length : newline;
      this.#starts.push(start);
      for (let at = this.#cutAt(start); at < end; at = this.#cutAt(at)) this.#starts.push(at);
      start = end + 1;
    }
    return whole;
  }

  /** Not between the halves of a character. */
  #cutAt(start: number): number {
    const at = start + MAX_LINE;
    const unit = this.text.charCodeAt(at);
    return unit >= 0xdc00 && unit <= 0xdfff ? at - 1 : at;
  }

  #carryColors(): void {
    let codes: string[] = [];
    let line = 0;
    for (const { 0: code, index } of this.text.matchAll(SGR)) {
      const at = this.#lineAt(index);
      for (line++; line <= at; line++) this.#carry(line, codes);
      line = at;
      codes = /\[0*m$/.test(code) ? [] : [...codes.slice(1 - MAX_CARRIED), code];
    }
    for (line++; line < this.length; line++) this.#carry(line, codes);
  }

  #carry(line: number, codes: readonly string[]): void {
    if (codes.length > 0) this.#carried.set(line, codes.join(""));
  }

  #lineAt(index: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
