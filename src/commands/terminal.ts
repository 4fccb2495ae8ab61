import { once } from "node:events";
import type { Writable } from "node:stream";
import { styleText } from "node:util";
import type { Printable } from "./terminal-text.ts";

/** How a piece of output looks on a terminal that has colors. */
export type Style = "bold" | "dim" | "green" | "red" | "yellow";

/** Where a command's output goes: all of it, so that nothing reaches a terminal that is not {@link Printable}. */
export interface Terminal {
  /** Writes to stdout; resolves when more can be written. Does nothing once the reader is gone. Never rejects. */
  write(text: Printable): Promise<void>;
  /** Tells the person at the terminal something, on stderr, and ends the line. */
  tell(line: Printable): void;
  /** Styles text for stdout, where stdout has colors. */
  style(style: Style, text: Printable): Printable;
  /** Whether stdout is a terminal, and no file or pipe. */
  readonly isTerminal: boolean;
  /** Aborts when whoever read stdout has gone (`| head`). */
  readonly gone: AbortSignal;
}

/**
 * A terminal over two streams. Takes over their `error` events: a broken pipe is `gone`, and stderr's are ignored.
 *
 * @param color - Whether colors are wanted; they are used only where stdout is a terminal.
 */
export function openTerminal(
  stdout: Writable & { readonly isTTY?: boolean },
  stderr: Writable,
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
    tell(line) {
      stderr.write(`${line}\n`);
    },
    style: (style, text) =>
      styled ? (styleText(style, text, { validateStream: false }) as Printable) : text,
  };
}
