const KIB = 1024;
const MIB = 1024 * KIB;

/** What a body takes at first, which most never exceed, is taken from a part that large ones have no share in. */
const SMALL_BYTES = 20 * KIB;
const SMALL_BUDGET_BYTES = 8 * MIB;

/** What one body holds of the budget. */
export interface BodyShare {
  /** Takes so many bytes more. False: there are not as many left, and it has what it had. */
  take(bytes: number): boolean;
  /** Gives everything back. Idempotent; nothing can be taken after it. */
  release(): void;
}

/**
 * The memory that all bodies of requests may hold together while they are read.
 *
 * The first 20 KiB of each are taken from 8 MiB apart, so that a small request gets through where large ones hold all the
 * rest; where those 8 MiB are taken they are taken from the rest as well.
 */
export class BodyBudget {
  #small = SMALL_BUDGET_BYTES;
  #large: number;
  readonly #most: number;

  /** @param bytes - For all that is beyond the first of each body. */
  constructor(bytes: number) {
    this.#large = bytes;
    this.#most = bytes;
  }

  /** What is taken now, in bytes. */
  get taken(): number {
    return SMALL_BUDGET_BYTES - this.#small + this.#most - this.#large;
  }

  /** A share for one more body, with nothing in it. */
  open(): BodyShare {
    let [small, large] = [0, 0];
    let isOpen = true;
    const takeSmall = (bytes: number) => {
      if (small + large + bytes > SMALL_BYTES || bytes > this.#small) return false;
      this.#small -= bytes;
      small += bytes;
      return true;
    };
    const takeLarge = (bytes: number) => {
      if (bytes > this.#large) return false;
      this.#large -= bytes;
      large += bytes;
      return true;
    };
    return {
      take: (bytes) => isOpen && (takeSmall(bytes) || takeLarge(bytes)),
      release: () => {
        isOpen = false;
        this.#small += small;
        this.#large += large;
        [small, large] = [0, 0];
      },
    };
  }
}
