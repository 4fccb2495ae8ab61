/**
 * So many at once, and so many a second for long. What is used comes back with time. More than there is can be used: as much
 * again is owed, and comes back first.
 */
export class Allowance {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #at = performance.now();

  constructor(most: number, perSecond: number) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
  }

  /** Whether there is nothing of it now, or something is owed. */
  get isUsedUp(): boolean {
    this.#grow();
    return this.#left < 1;
  }

  /** Uses one. False: there was none. */
  use(): boolean {
    const isThere = !this.isUsedUp;
    this.#left = Math.max(this.#left - 1, -this.#most);
    return isThere;
  }

  #grow(): void {
    const now = performance.now();
    const grown = ((now - this.#at) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#most, this.#left + grown);
    this.#at = now;
  }
}
