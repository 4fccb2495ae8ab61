import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { styleText } from "node:util";
import { type Printable, wrapped } from "./terminal-text.ts";

/** How a piece of output looks on a terminal that has colors. */
export type Style = "bold" | "dim" | "green" | "red" | "yellow";

/** Where a command's output goes: all of it, so that nothing reaches a terminal that is not {@link Printable}. */
export interface Terminal {
  /** Writes to stdout; resolves when more can be written. Does nothing once the reader is gone. Never rejects. */
  write(text: Printable): Promise<void>;
  /**
   * Tells the person at the terminal something, on stderr, and ends the line. A terminal's lines are wrapped at words.
   *
   * @param command - Stands behind it, and on a terminal on a line of its own, which is to be copied and never wrapped.
   */
  tell(line: Printable, command?: Printable): void;
  /** Asks for a line on stderr, which is typed on `stdin`. Undefined: Ctrl-C or Ctrl-D was typed instead. */
  askLine(question: Printable, stdin: Readable): Promise<string | undefined>;
  /** Wraps text for stdout at words, where it is a terminal: see {@link wrapped}. */
  wrap(text: Printable): Printable;
  /** Styles text for stdout, where stdout has colors. */
  style(style: Style, text: Printable): Printable;
  /** Whether stdout is a terminal, and no file or pipe. */
  readonly isTerminal: boolean;
  /** Aborts when whoever read stdout has gone (`| head`). */
  readonly gone: AbortSignal;
}

/** What a stream tells that is a terminal. */
interface TerminalStream {
  readonly isTTY: boolean;
  /** How wide it is now. */
  readonly columns: number;
}

/**
 * A terminal over two streams. Takes over their `error` events: a broken pipe is `gone`, and stderr's are ignored.
 *
 * @param color - Whether colors are wanted; they are used only where stdout is a terminal.
 */
export function openTerminal(
  stdout: Writable & Partial<TerminalStream>,
  stderr: Writable & Partial<TerminalStream>,
  color: boolean,
): Terminal {
  const gone = new AbortController();
  const styled = color && stdout.isTTY === true;
  stdout.on("error", () => gone.abort());
  stderr.on("error", () => {});
  return {
    gone: gone.signal,
    isTerminal: stdout.isTTY === true,
    async write(text) {
      if (gone.signal.aborted || stdout.write(text)) return;
      await once(stdout, "drain", { signal: gone.signal }).catch(() => {});
    },
    tell(line, command) {
      const rest = command === undefined ? "" : `${stderr.isTTY ? "\n  " : " "}${command}`;
      stderr.write(`${wrapped(line, widthOf(stderr))}${rest}\n`);
    },
    askLine: (question, stdin) => askLine(question, stdin, stderr),
    wrap: (text) => wrapped(text, widthOf(stdout)),
    style: (style, text) =>
      styled ? (styleText(style, text, { validateStream: false }) as Printable) : text,
  };
}

function widthOf({ isTTY, columns }: Partial<TerminalStream>): number | undefined {
  return isTTY === true ? columns : undefined;
}

async function askLine(
  question: Printable,
  input: Readable,
  output: Writable,
): Promise<string | undefined> {
  const lines = createInterface({ input, output, terminal: true });
  try {
    const left = new AbortController();
    lines.once("SIGINT", () => left.abort()).once("close", () => left.abort());
    return await lines.question(question, { signal: left.signal });
  } catch {
    output.write("\n");
    return undefined;
  } finally {
    lines.close();
  }
}
