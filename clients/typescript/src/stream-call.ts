/** Nothing was heard for longer than a server is ever silent: the connection is dead, though nobody said so. */
export class SilenceError extends Error {
  override readonly name = "SilenceError";

  /** @param isFirst - Whether the call had brought nothing at all. */
  constructor(silenceMs: number, isFirst: boolean) {
    const hint = isFirst ? ": a proxy in between may be holding the answer back" : "";
    super(`nothing was heard for ${silenceMs / 1000} s${hint}`);
  }
}

/** One call that streams messages. Whoever made it closes it. */
export class StreamCall<M> {
  readonly #controller = new AbortController();
  readonly #messages: AsyncIterator<M>;
  readonly #leave: AbortSignal;
  readonly #silenceMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the reader began to wait; undefined while it does not: its own slowness is no silence of the server. */
  #waitingSince: number | undefined;
  #isHeard = false;

  /**
   * @param open - Makes the call; ends it when its signal aborts.
   * @param silenceMs - So long after the last message the call is ended by a SilenceError.
   * @param leave - Ends the call when it aborts.
   */
  constructor(
    open: (signal: AbortSignal) => AsyncIterable<M>,
    silenceMs: number,
    leave: AbortSignal,
  ) {
    this.#silenceMs = silenceMs;
    this.#leave = leave;
    leave.addEventListener("abort", this.#end);
    if (leave.aborted) this.#end();
    this.#messages = open(this.#controller.signal)[Symbol.asyncIterator]();
    this.#watch(silenceMs);
  }

  /**
   * The next message; undefined at the stream's end.
   *
   * @throws ConnectError where the call fails, SilenceError, and the reason of `leave`.
   */
  async next(): Promise<M | undefined> {
    const { signal } = this.#controller;
    try {
      signal.throwIfAborted();
      this.#waitingSince = performance.now();
      const { done, value } = await this.#messages.next();
      this.#waitingSince = undefined;
      this.#isHeard = true;
      return done ? undefined : value;
    } catch (error) {
      // A transport makes an error of its own of the reason.
      throw signal.aborted ? signal.reason : error;
    }
  }

  /**
   * Reads to the end of a stream that has nothing more to tell, so that its connection can be used again; for at most
   * `ms`, and whatever comes. Never rejects.
   */
  async finish(ms: number): Promise<void> {
    const timer = setTimeout(this.#end, ms);
    try {
      while ((await this.next()) !== undefined);
    } catch {
      // It was over before it broke.
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the call; nothing of it outlives that. Idempotent. */
  close(): void {
    clearTimeout(this.#timer);
    this.#leave.removeEventListener("abort", this.#end);
    this.#end();
  }

  readonly #end = (): void => {
    this.#controller.abort(this.#leave.reason);
  };

  /** One timer at a time, however many messages come. */
  #watch(inMs: number): void {
    this.#timer = setTimeout(() => {
      const waitedMs =
        this.#waitingSince === undefined ? 0 : performance.now() - this.#waitingSince;
      if (waitedMs < this.#silenceMs) this.#watch(this.#silenceMs - waitedMs);
      else this.#controller.abort(new SilenceError(this.#silenceMs, !this.#isHeard));
    }, inMs);
  }
}
