/** What arrives by calls, for a loop that takes it one by one; it ends by an error alone. */
export class Arrivals<T> {
  readonly #waiting: T[] = [];
  #error: unknown;
  #isOver = false;
  #wake = () => {};

  push(item: T): void {
    if (this.#isOver) return;
    this.#waiting.push(item);
    this.#wake();
  }

  /** What came before is taken first. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#wake();
  }

  /** To be called once. @throws what it was failed with. */
  async *items(): AsyncGenerator<T, never, undefined> {
    for (;;) {
      for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift())
        yield item;
      if (this.#isOver) throw this.#error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
