import { StreamEnding } from "../edge/stream-ending.ts";

/** Who waits for a piece of work. */
export interface Waiter {
  readonly principal: string;
  /** Where it aborts nobody waits any more, unless with `StreamEnding`: whoever asked is there then. */
  readonly signal: AbortSignal;
}

interface Piece {
  /** Never rejects. */
  begin(): Promise<void>;
}

/**
 * Does heavy work one piece after the other, on behalf of many.
 *
 * 1. Principals take turns, however much one has asked for.
 * 2. What nobody waits for any more before it began is not done.
 */
export class InTurn {
  /** By principal, whose turn it is first. None is empty. */
  readonly #waiting = new Map<string, Set<Piece>>();
  #isBusy = false;

  /**
   * Does it in its turn.
   *
   * @throws What it throws; the reason of the signal.
   */
  run<T>({ principal, signal }: Waiter, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        if (signal.reason instanceof StreamEnding) return;
        this.#remove(principal, piece);
        reject(signal.reason);
      };
      const piece: Piece = {
        async begin() {
          signal.removeEventListener("abort", giveUp);
          await Promise.try(work).then(resolve, reject);
        },
      };
      const own = this.#waiting.get(principal) ?? new Set();
      this.#waiting.set(principal, own.add(piece));
      signal.addEventListener("abort", giveUp);
      if (signal.aborted) giveUp();
      if (!this.#isBusy) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let piece = this.#next(); piece !== undefined; piece = this.#next()) await piece.begin();
    this.#isBusy = false;
  }

  #next(): Piece | undefined {
    const [principal, own] = this.#waiting.entries().next().value ?? [];
    const [piece] = own ?? [];
    if (principal === undefined || own === undefined || piece === undefined) return undefined;
    this.#remove(principal, piece);
    // Behind the others'.
    if (this.#waiting.delete(principal)) this.#waiting.set(principal, own);
    return piece;
  }

  #remove(principal: string, piece: Piece): void {
    const own = this.#waiting.get(principal);
    own?.delete(piece);
    if (own?.size === 0) this.#waiting.delete(principal);
  }
}
