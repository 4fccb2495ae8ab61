import { connectionClosed } from "./connection-closed.ts";
import { type BackOff, DEFAULT_BACK_OFF, Outage } from "./outage.ts";
import { SilenceError, StreamCall } from "./stream-call.ts";

/** What became of the connection, for telling a person. */
export type ConnectionChange =
  | {
      readonly state: "lost";
      /** Why: a ConnectError, StreamCutError, SilenceError or SequenceGapError. */
      readonly error: unknown;
      /** When the next try begins. */
      readonly retryInMs: number;
      /** How many calls failed since something new was read; 1 for the first. */
      readonly failures: number;
      /** Whether the server was ever heard. */
      readonly wasConnected: boolean;
    }
  /** The server was heard again. */
  | { readonly state: "back" };

/** How a stream is read over connections that break. */
export interface StreamOptions {
  /** Ends the reading at once, and nothing at the server. */
  readonly signal?: AbortSignal | undefined;
  /** What differs from {@link DEFAULT_BACK_OFF}. */
  readonly backOff?: Partial<BackOff>;
  /**
   * The longest silence before a connection is taken for dead, in milliseconds; 40,000 unless told. The server is never
   * silent for longer than 15 s.
   */
  readonly silenceMs?: number;
  /** Told of every connection that is lost, and of the one that takes its place. What it throws ends the stream. */
  readonly onConnection?: (change: ConnectionChange) => void;
  /**
   * Called where a connection is taken for dead, before the next call: closes what the transport holds open. Needed
   * where calls share a connection, as over HTTP/2 in Node: the next one would go into the same silence.
   */
  readonly dropConnection?: () => void;
}

/** An iterator that can be left at any time. */
export interface ResumingStream<T> extends AsyncIterableIterator<T, void, undefined> {
  /** Leaves at once, also while a `next` is pending, which then answers that it is done. */
  return(): Promise<IteratorResult<T, void>>;
}

/** Something that is read over any number of calls, from where the reading is. */
export interface Reading<M, T> {
  /** Makes the next call; ends it when its signal aborts. */
  open(signal: AbortSignal): AsyncIterable<M>;
  /** Takes what came. What it throws is a failure of the call. */
  take(message: M): Taken<T>;
  /** Aborts when the connection is closed for good. Undefined: nobody closes it. */
  readonly closing: AbortSignal | undefined;
  /** A call's stream ended well. Answers whether that is the end; undefined, or why the call failed. */
  ended(): Error | undefined;
}

/** What a reading made of a message. */
export interface Taken<T> {
  /** What to deliver before `fresh`. */
  readonly before?: T | undefined;
  /** What to deliver. Undefined: nothing, or it was delivered before. */
  readonly fresh: T | undefined;
  /** The reading is further than it was. */
  readonly isNew: boolean;
  /** Nothing can follow. */
  readonly isLast: boolean;
}

const SILENCE_MS = 40_000;
/** How long the end of a stream is waited for after that of what it tells. */
const FINISH_MS = 1000;

/** The reason where the reader itself has left: that is no error. */
const LEFT = new Error("the reader left");

/**
 * Reads to the end over as many calls as that takes.
 *
 * Leaving the loop (or `return`) and `signal` end the call and every wait at once.
 *
 * @throws ConnectError where the server refuses for good, or was not reached for as long as `backOff` says: the last
 * failure. Likewise whatever else `reading` has a call fail with, and SilenceError. The reason of `signal` where that aborts.
 *
 * @param isHeard - Whether the server was heard just now: then it is given as long to come back as one that was cut.
 */
export function resume<M, T>(
  reading: Reading<M, T>,
  options: StreamOptions,
  isHeard = false,
): ResumingStream<T> {
  const left = new AbortController();
  const read = readToEnd(reading, options, left, isHeard);
  return {
    next: () => read.next(),
    return() {
      // A generator's own `return` waits for the `next` that is pending.
      left.abort(LEFT);
      return read.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* readToEnd<M, T>(
  reading: Reading<M, T>,
  options: StreamOptions,
  left: AbortController,
  isHeard: boolean,
): AsyncGenerator<T, void, undefined> {
  const { signal } = options;
  const leave = () => left.abort(signal?.reason);
  signal?.addEventListener("abort", leave);
  if (signal?.aborted) leave();
  const { silenceMs = SILENCE_MS } = options;
  const outage = new Outage({ ...DEFAULT_BACK_OFF, ...options.backOff }, silenceMs, isHeard);
  try {
    for (;;) {
      const failure = yield* readCall(reading, outage, options, left.signal);
      if (failure === undefined || left.signal.reason === LEFT) return;
      left.signal.throwIfAborted();
      const retryInMs = outage.failed(failure);
      if (retryInMs === undefined) throw failure;
      tellLoss(failure, retryInMs, outage, options);
      await wait(retryInMs, left.signal, reading.closing);
      if (reading.closing?.aborted) throw connectionClosed();
    }
  } finally {
    signal?.removeEventListener("abort", leave);
  }
}

/** Reads one call. Returns why it failed; undefined where nothing can follow. */
async function* readCall<M, T>(
  reading: Reading<M, T>,
  outage: Outage,
  { silenceMs = SILENCE_MS, onConnection }: StreamOptions,
  left: AbortSignal,
): AsyncGenerator<T, unknown, undefined> {
  if (left.aborted) return left.reason;
  const call = new StreamCall((signal) => reading.open(signal), silenceMs, left);
  try {
    for (;;) {
      let taken: Taken<T>;
      try {
        const message = await call.next();
        if (message === undefined) return reading.ended();
        taken = reading.take(message);
      } catch (error) {
        return error;
      }
      if (outage.heard(taken.isNew)) onConnection?.({ state: "back" });
      if (taken.before !== undefined) yield taken.before;
      if (taken.fresh !== undefined) yield taken.fresh;
      if (taken.isLast) {
        await call.finish(FINISH_MS);
        return undefined;
      }
    }
  } finally {
    call.close();
  }
}

function tellLoss(
  error: unknown,
  retryInMs: number,
  { failures, isHeard: wasConnected }: Outage,
  { dropConnection, onConnection }: StreamOptions,
): void {
  if (error instanceof SilenceError) dropConnection?.();
  onConnection?.({ state: "lost", error, retryInMs, failures, wasConnected });
}

/** Resolves after so many milliseconds, or when a signal aborts. */
function wait(ms: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    for (const signal of signals) signal?.addEventListener("abort", finish);
    if (signals.some((signal) => signal?.aborted)) finish();
  });
}
