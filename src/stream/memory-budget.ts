/** What a share of a budget may take. */
export interface ShareLimits {
  /** The most, in bytes. */
  readonly bytes: number;
  /** So much is there for it whatever the others have taken: it does not count in the whole. Unset: none. */
  readonly reserved?: number;
}

/**
 * Memory that is kept on somebody's behalf, counted in bytes against a limit, and against that of the whole that it is a
 * share of.
 *
 * 1. What `take` granted is within the limits, this one's and the whole's; what `charge` counted is there already.
 * 2. Where the whole is used up, those who have more than who asks give way first, the largest before the others.
 * 3. Once it is closed it counts nothing, and nothing of it counts in the whole.
 */
export class MemoryBudget {
  readonly #limits: Required<ShareLimits>;
  readonly #whole: MemoryBudget | undefined;
  readonly #shares = new Set<MemoryBudget>();
  #taken = 0;
  #isClosed = false;
  /** Called to have it give back what it can do without. It must not throw. */
  giveWay: () => void = () => {};

  /** @param bytes - The limit. */
  constructor(
    bytes: number,
    { reserved = 0, whole }: { reserved?: number; whole?: MemoryBudget } = {},
  ) {
    this.#limits = { bytes, reserved };
    this.#whole = whole;
  }

  /** A share of this one, with limits of its own. Whoever asked for it closes it. */
  share({ bytes, reserved = 0 }: ShareLimits): MemoryBudget {
    const share = new MemoryBudget(bytes, { reserved, whole: this });
    this.#shares.add(share);
    return share;
  }

  /** What is counted now, in bytes. */
  get taken(): number {
    return this.#taken;
  }

  /** Counts so many bytes more. Answers false, having counted nothing, where there is no room for them. */
  take(bytes: number): boolean {
    if (this.#isClosed) return true;
    if (this.#taken + bytes > this.#limits.bytes) return false;
    const more = this.#beyondReserve(this.#taken + bytes) - this.#beyondReserve(this.#taken);
    if (more > 0 && this.#whole?.takeFor(this, more) === false) return false;
    this.#taken += bytes;
    return true;
  }

  /** Counts what is there already, whether there is room for it or not. */
  charge(bytes: number): void {
    this.#set(this.#taken + bytes);
  }

  /** Counts so many bytes less. */
  giveBack(bytes: number): void {
    this.#set(this.#taken - bytes);
  }

  /** Gives all of it back. Idempotent. */
  close(): void {
    this.#set(0);
    this.#isClosed = true;
    if (this.#whole !== undefined) this.#whole.#shares.delete(this);
  }

  /** Takes for a share, which those that have more make room for. */
  takeFor(share: MemoryBudget, bytes: number): boolean {
    if (this.take(bytes)) return true;
    const others = [...this.#shares].filter(({ taken }) => taken > share.taken + bytes);
    for (const other of others.toSorted((a, b) => b.taken - a.taken)) {
      other.giveWay();
      if (this.take(bytes)) return true;
    }
    return false;
  }

  #set(taken: number): void {
    if (this.#isClosed) return;
    this.#whole?.charge(this.#beyondReserve(taken) - this.#beyondReserve(this.#taken));
    this.#taken = taken;
  }

  #beyondReserve(taken: number): number {
    return Math.max(0, taken - this.#limits.reserved);
  }
}
