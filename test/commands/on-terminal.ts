import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { COMPILE_CACHE } from "../support/compile-cache.ts";
import { eventually } from "../support/processes.ts";
import { NODE_FLAGS, PROGRAM } from "../support/program.ts";

const ENTER = "\r";

/** A command that runs on a terminal of its own, and the person who sits at it. */
export interface OnTerminal extends AsyncDisposable {
  /** What is on the screen, without colors. */
  screen(): string;
  /** Resolves when the text is on the screen, behind what was there at the call before. */
  see(text: string): Promise<void>;
  /** Presses keys, all at once. */
  type(keys: string): void;
  /** Types a line. */
  enter(line: string): void;
  /** How it ended. */
  readonly ended: Promise<number | null>;
}

/** Starts the command line on a terminal, through util-linux' `script`. */
export function startOnTerminal(
  args: readonly string[],
  { columns = 200, environment = {} as Record<string, string> } = {},
): OnTerminal {
  const quoted = [process.execPath, ...NODE_FLAGS, PROGRAM, ...args].map(
    (word) => `'${word.replaceAll("'", "'\\''")}'`,
  );
  const command = `stty cols ${columns} rows 50; exec ${quoted.join(" ")}`;
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    env: {
      ...{ PATH: process.env.PATH, TERM: "xterm", SHELL: "/bin/sh", NO_COLOR: "1" },
      ...{ BREAKGLASS_COMMAND: "breakglass", ...COMPILE_CACHE, ...environment },
    },
    stdio: "pipe",
  });
  let printed = "";
  let seen = 0;
  child.stdout.on("data", (piece: Buffer) => {
    printed += piece;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const screen = () => stripVTControlCharacters(printed).replaceAll("\r\n", "\n");
  return {
    screen,
    ended,
    async see(text) {
      const shown = await eventually(screen, (now) => now.indexOf(text, seen) >= 0);
      const at = shown.indexOf(text, seen);
      if (at < 0) throw new Error(`not on the screen: ${text}; but: ${shown.slice(seen)}`);
      seen = at + text.length;
    },
    type: (keys) => void child.stdin.write(keys),
    enter: (line) => void child.stdin.write(`${line}${ENTER}`),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
