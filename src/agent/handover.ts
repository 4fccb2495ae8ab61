type Result<T> = IteratorResult<T, undefined>;

/**
 * Hands things from one who has them to one who asks for them.
 *
 * A generator that waits parks itself and everybody that it yields through, and with a thousand turns all of that grows
 * old and is collected at great cost (measured: a fifth of the server's time); this parks one promise.
 */
export class Handover<T> implements AsyncIterableIterator<T> {
  readonly #things: T[] = [];
  readonly #asked: () => void;
  readonly #done: (thing: T) => void;
  /** What was handed over last, which whoever took it may still be at. */
  #lent: { readonly thing: T } | undefined;
  #waiting: ((result: Result<T> | Promise<never>) => void) | undefined;
  #ended = false;
  #failure: Error | undefined;

  /**
   * @param asked - Called when more is asked for than was given.
   * @param done - Called with each thing once whoever took it comes back, or it is taken back.
   */
  constructor(asked: () => void, done: (thing: T) => void = () => {}) {
    this.#asked = asked;
    this.#done = done;
  }

  /** Whether something waits to be taken. */
  get isFull(): boolean {
    return this.#things.length > 0;
  }

  /** Gives a thing, whether it is asked for or not: who must not run ahead looks at `isFull`. */
  give(thing: T): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#things.push(thing);
    else waiting(this.#lend(thing));
  }

  /** Nothing more comes; where there is a failure, whoever asks on is told of it. */
  end(failure?: Error): void {
    this.#ended = true;
    this.#failure = failure;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(this.#last());
  }

  /** Takes back what nobody has asked for. */
  takeBack(): T[] {
    const things = this.#things.splice(0);
    for (const thing of things) this.#done(thing);
    return things;
  }

  next(): Promise<Result<T>> {
    if (this.#lent !== undefined) this.#done(this.#lent.thing);
    this.#lent = undefined;
    const thing = this.#things.shift();
    if (thing !== undefined) return Promise.resolve(this.#lend(thing));
    return new Promise((resolve) => {
      if (this.#ended) return resolve(this.#last());
      this.#waiting = resolve;
      this.#asked();
    });
  }

  #lend(thing: T): Result<T> {
    this.#lent = { thing };
    return { value: thing, done: false };
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
