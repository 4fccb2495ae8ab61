/** After a failure it is asked for again, so many milliseconds later. */
const RETRY_MS = 5000;

/**
 * A part of the program that the page can begin without: it is loaded once somebody asks for it and the page has shown what it has.
 */
export class Later<T> {
  #part = $state.raw<T>();
  #isAsked = false;
  readonly #load: () => Promise<T>;

  /** @param load - Imports the part. */
  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** The part; undefined: it is not here yet, and comes. */
  get now(): T | undefined {
    if (!this.#isAsked) {
      this.#isAsked = true;
      void this.#fetch();
    }
    return this.#part;
  }

  async #fetch(): Promise<void> {
    await painted();
    try {
      this.#part = await this.#load();
    } catch {
      setTimeout(() => void this.#fetch(), RETRY_MS);
    }
  }
}

/** Once the window has been painted; at once where it is hidden, and never is. */
function painted(): Promise<void> {
  return new Promise((resolve) => {
    if (document.hidden) resolve();
    else requestAnimationFrame(() => setTimeout(resolve));
  });
}
