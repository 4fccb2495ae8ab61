import { replaced } from "./ranges.ts";
import { CONTEXT, MOST_OPEN, type SecretFinder } from "./secret-finder.ts";

/**
 * Takes secrets out of a text that comes in pieces, and may be cut within one.
 *
 * 1. What may belong to a secret that goes on is kept back until it is known, but no more than `MOST_OPEN`.
 * 2. A secret that is found with the help of what was given out before loses all that was not.
 */
export class TextStream {
  readonly #finder: SecretFinder;
  /** The end of what was given out, as it came. */
  #before = "";
  #keptBack = "";

  constructor(finder: SecretFinder) {
    this.#finder = finder;
  }

  /** Takes a piece, and answers what of the text can be given out; it may be empty. */
  push(piece: string): string {
    const all = this.#before + this.#keptBack + piece;
    const ranges = this.#finder.find(all);
    const open = this.#finder.openFrom(all);
    const cut = ranges.find(({ start, end }) => start < open && end > open)?.start ?? open;
    const given = Math.max(cut, this.#before.length, all.length - MOST_OPEN); // 1.
    const text = replaced(all, ranges, this.#before.length, given); // 2.
    this.#before = all.slice(Math.max(0, given - CONTEXT), given);
    this.#keptBack = all.slice(given);
    return text;
  }
}
