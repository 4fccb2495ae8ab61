import type { TextRange } from "./ranges.ts";

/** So large may the table be, in entries of four bytes. */
const MAX_ENTRIES = 16 * 1024 * 1024;

/**
 * Finds any of many literal texts in one pass (Aho and Corasick, 1975): a step a unit, whatever the text and however many
 * literals there are. It also knows how much of a literal the end of a text may be the beginning of.
 */
export class LiteralMatcher {
  /** Which column of the table a unit has; 0: no literal has it. */
  readonly #columns = new Uint16Array(65_536);
  readonly #width: number;
  /** The next state, by state and column. State 0 is the beginning. */
  readonly #next: Int32Array;
  /** How long the beginning of a literal is that a state stands for. */
  readonly #depth: Int32Array;
  /** How long the longest literal is that ends in a state. 0: none does. */
  readonly #found: Int32Array;

  /** @throws RangeError where they are too many and too long. */
  constructor(literals: readonly string[]) {
    let columns = 1;
    for (const literal of literals) {
      for (let at = 0; at < literal.length; at++) {
        const unit = literal.charCodeAt(at);
        if (this.#columns[unit] === 0) this.#columns[unit] = columns++;
      }
    }
    const states = 1 + literals.reduce((sum, { length }) => sum + length, 0);
    if (states * columns > MAX_ENTRIES) throw new RangeError("too many literals");
    this.#width = columns;
    this.#next = new Int32Array(states * columns).fill(-1);
    this.#depth = new Int32Array(states);
    this.#found = new Int32Array(states);
    let count = 1;
    for (const literal of literals) count = this.#add(literal, count);
    this.#link();
  }

  /** Where literals stand in a text, in the order of their ends; of those that overlap not every one is told. */
  find(text: string): TextRange[] {
    const ranges: TextRange[] = [];
    this.#run(text, (end, length) => {
      const [start, last] = [end - length, ranges.at(-1)];
      // A text may have one at each of its places.
      if (last === undefined || start > last.end) ranges.push({ start, end });
      else ranges[ranges.length - 1] = { start: Math.min(start, last.start), end };
    });
    return ranges;
  }

  /** How many units at the end of a text may be the beginning of a literal that goes on behind it. */
  openLength(text: string): number {
    return this.#depth[this.#run(text, () => {})]!;
  }

  #run(text: string, tell: (end: number, length: number) => void): number {
    const [next, found, columns, width] = [this.#next, this.#found, this.#columns, this.#width];
    let state = 0;
    for (let at = 0; at < text.length; at++) {
      state = next[state * width + columns[text.charCodeAt(at)]!]!;
      if (found[state]! > 0) tell(at + 1, found[state]!);
    }
    return state;
  }

  /** Answers how many states there are then. */
  #add(literal: string, states: number): number {
    let [state, count] = [0, states];
    for (let at = 0; at < literal.length; at++) {
      const place = state * this.#width + this.#columns[literal.charCodeAt(at)]!;
      if (this.#next[place] === -1) {
        this.#depth[count] = at + 1;
        this.#next[place] = count++;
      }
      state = this.#next[place]!;
    }
    if (state !== 0) this.#found[state] = literal.length;
    return count;
  }

  /** Has each state go on with the longest end of it that is a beginning too, where it cannot go on itself. */
  #link(): void {
    const fallback = new Int32Array(this.#depth.length);
    const queue = [0];
    for (const state of queue) {
      for (let column = 0; column < this.#width; column++) {
        const place = state * this.#width + column;
        const child = this.#next[place]!;
        const elsewhere = state === 0 ? 0 : this.#next[fallback[state]! * this.#width + column]!;
        if (child === -1) this.#next[place] = elsewhere;
        else {
          fallback[child] = elsewhere;
          this.#found[child] ||= this.#found[elsewhere]!;
          queue.push(child);
        }
      }
    }
  }
}
