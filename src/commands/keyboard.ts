import type { ReadStream } from "node:tty";

/** What was typed before this, or in the same breath, was not meant for what it would answer. */
const GRACE_MS = 300;
const CTRL_C = "\u0003";
const CTRL_Z = "\u001a";
const CTRL_BACKSLASH = "\u001c";

/**
 * The keys of a terminal, one at a time, while they are listened for. Else the terminal is as it was.
 *
 * 1. Only a key that comes by itself counts: what is pasted, what a key such as an arrow sends, and what was typed before
 *    it was listened for is nobody's answer.
 * 2. Ctrl-C, Ctrl-\ and Ctrl-Z do what they do at any time.
 */
export class Keyboard implements Disposable {
  readonly #stdin: ReadStream;
  #heed: ((key: string) => void) | undefined;
  #heardFrom = 0;

  constructor(stdin: ReadStream) {
    this.#stdin = stdin;
  }

  /** Listens for keys from now on, instead of what it did before. */
  listen(heed: (key: string) => void): void {
    const isListening = this.#heed !== undefined;
    this.#heed = heed;
    this.#heardFrom = performance.now() + GRACE_MS;
    if (isListening) return;
    this.#stdin.setRawMode(true);
    this.#stdin.on("data", this.#take).resume();
  }

  /** Listens no longer. Idempotent. */
  rest(): void {
    if (this.#heed === undefined) return;
    this.#heed = undefined;
    this.#stdin.off("data", this.#take).pause();
    this.#stdin.setRawMode(false);
  }

  [Symbol.dispose](): void {
    this.rest();
  }

  readonly #take = (typed: Buffer): void => {
    const key = typed.toString();
    if (key === CTRL_C) process.kill(process.pid, "SIGINT");
    else if (key === CTRL_BACKSLASH) process.kill(process.pid, "SIGQUIT");
    else if (key === CTRL_Z) this.#suspend();
    else if (key.length === 1 && performance.now() >= this.#heardFrom) this.#heed?.(key); // 1.
  };

  #suspend(): void {
    this.#stdin.setRawMode(false);
    process.once("SIGCONT", () => {
      if (this.#heed !== undefined) this.#stdin.setRawMode(true);
    });
    process.kill(process.pid, "SIGTSTP");
  }
}
