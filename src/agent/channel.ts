type Result<T> = IteratorResult<T, undefined>;

/**
 * An async channel with one receiver: what is sent waits, without a bound, until it is asked for. The sender hears of the
 * demand, and when the receiver is done with what it got.
 *
 * A generator that waits parks itself and everybody that it yields through, and with a thousand turns all of that grows
 * old and is collected at great cost (measured: a fifth of the server's time); this parks one promise.
 */
export class Channel<T> implements AsyncIterableIterator<T> {
  readonly #unread: T[] = [];
  readonly #asked: () => void;
  readonly #done: (item: T) => void;
  /** What was received last, which the receiver may still be at. */
  #lent: { readonly item: T } | undefined;
  #waiting: ((result: Result<T> | Promise<never>) => void) | undefined;
  #isClosed = false;
  #failure: Error | undefined;

  /**
   * @param asked - Called when more is asked for than was sent.
   * @param done - Called with each item once its receiver comes back, or it is drained.
   */
  constructor(asked: () => void, done: (item: T) => void = () => {}) {
    this.#asked = asked;
    this.#done = done;
  }

  /** Whether something waits to be received. */
  get hasUnread(): boolean {
    return this.#unread.length > 0;
  }

  /** Sends an item, whether it is asked for or not: who must not run ahead looks at `hasUnread`. */
  send(item: T): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#unread.push(item);
    else waiting(this.#lend(item));
  }

  /** Nothing more comes; where there is a failure, whoever asks on is told of it. */
  close(failure?: Error): void {
    this.#isClosed = true;
    this.#failure = failure;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(this.#last());
  }

  /** Takes back what nobody has asked for. */
  drain(): T[] {
    const items = this.#unread.splice(0);
    for (const item of items) this.#done(item);
    return items;
  }

  next(): Promise<Result<T>> {
    if (this.#lent !== undefined) this.#done(this.#lent.item);
    this.#lent = undefined;
    const item = this.#unread.shift();
    if (item !== undefined) return Promise.resolve(this.#lend(item));
    return new Promise((resolve) => {
      if (this.#isClosed) return resolve(this.#last());
      this.#waiting = resolve;
      this.#asked();
    });
  }

  #lend(item: T): Result<T> {
    this.#lent = { item };
    return { value: item, done: false };
  }

  #last(): Result<T> | Promise<never> {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure === undefined ? { value: undefined, done: true } : Promise.reject(failure);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
