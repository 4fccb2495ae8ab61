/** What the person at the keyboard has asked for with Ctrl-C so far. */
export interface Interrupts extends Disposable {
  /** Aborts with the first Ctrl-C. */
  readonly first: AbortSignal;
  /** Aborts with the second. */
  readonly second: AbortSignal;
  /** Aborts with the third. */
  readonly third: AbortSignal;
}

/** Takes Ctrl-C (SIGINT) over from Node, which would end the process, until disposed. */
export function takeInterrupts(): Interrupts {
  const presses = [new AbortController(), new AbortController(), new AbortController()] as const;
  const press = () => presses.find(({ signal }) => !signal.aborted)?.abort();
  process.on("SIGINT", press);
  const [first, second, third] = presses;
  return {
    first: first.signal,
    second: second.signal,
    third: third.signal,
    [Symbol.dispose]: () => void process.off("SIGINT", press),
  };
}
