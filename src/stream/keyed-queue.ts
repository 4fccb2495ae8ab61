/** Does work one after the other where it has the same key. Holds nothing for keys without work. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does work behind all that was given before under its key, whether that failed or not. Settles as the work does. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const done = before.then(work, work);
    this.#last.set(key, done);
    const forget = () => {
      if (this.#last.get(key) === done) this.#last.delete(key);
    };
    done.then(forget, forget);
    return done;
  }
}
