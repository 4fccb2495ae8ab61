/** What the person at the keyboard has asked for so far. */
export interface Interrupts extends Disposable {
  /** Aborts with the first Ctrl-C. */
  readonly first: AbortSignal;
  /** Aborts with the second. */
  readonly second: AbortSignal;
  /** Aborts with the third. */
  readonly third: AbortSignal;
  /** Aborts with Ctrl-\. */
  readonly quit: AbortSignal;
}

/** Takes Ctrl-C (SIGINT) and Ctrl-\ (SIGQUIT) over from Node, which would end the process, until disposed. */
export function takeInterrupts(): Interrupts {
  const presses = [new AbortController(), new AbortController(), new AbortController()] as const;
  const press = () => presses.find(({ signal }) => !signal.aborted)?.abort();
  const leave = new AbortController();
  const quit = () => leave.abort();
  process.on("SIGINT", press);
  process.on("SIGQUIT", quit);
  const [first, second, third] = presses;
  return {
    first: first.signal,
    second: second.signal,
    third: third.signal,
    quit: leave.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", press);
      process.off("SIGQUIT", quit);
    },
  };
}
