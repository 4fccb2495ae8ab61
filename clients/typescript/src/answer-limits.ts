import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

/** How long the answer of a call may take that a server gives at once. */
const ANSWER_MS = 8000;
/** Of one that waits for an agent to stop, or for files to be removed. */
const SLOW_ANSWER_MS = 60_000;
const SLOW: readonly string[] = ["CancelTurn", "InterruptTurn", "DeleteSession"];

/**
 * Bounds how long a call waits for an answer, whatever is alive: 8 s, and 60 s for those that stop or delete something. A
 * stream is not bounded here: its reader knows how long it may be silent.
 *
 * @param onSilence - Told, by the method's name, of each call that goes on waiting though nothing was answered for 8 s.
 */
export function answerLimits(onSilence: (method: string) => void): Interceptor {
  return (next) => async (request) => {
    const { name } = request.method;
    const isQuick = !request.stream && !SLOW.includes(name);
    const notice = isQuick ? undefined : setTimeout(onSilence, ANSWER_MS, name);
    const settle = () => clearTimeout(notice);
    request.signal.addEventListener("abort", settle);
    try {
      if (request.stream) {
        const response = await next(request);
        return response.stream
          ? { ...response, message: tellingFirst(response.message, settle) }
          : response;
      }
      const limit = limitOf(name, isQuick ? ANSWER_MS : SLOW_ANSWER_MS);
      const signal = AbortSignal.any([request.signal, limit.signal]);
      const response = await next({ ...request, signal }).finally(limit.lift);
      settle();
      return response;
    } catch (error) {
      settle();
      throw error;
    }
  };
}

/** A signal that aborts where an answer is too late, until that is lifted. */
function limitOf(name: string, ms: number) {
  const late = new AbortController();
  const message = `${name} was not answered within ${ms / 1000} s`;
  const error = () => new ConnectError(message, Code.DeadlineExceeded);
  const timer = setTimeout(() => late.abort(error()), ms);
  return { signal: late.signal, lift: () => clearTimeout(timer) };
}

/** Calls `heard` when the first message came, or none will. */
function tellingFirst<T>(messages: AsyncIterable<T>, heard: () => void): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      let isAsked = false;
      return {
        next() {
          if (isAsked) return iterator.next();
          isAsked = true;
          return iterator.next().finally(heard);
        },
      };
    },
  };
}
