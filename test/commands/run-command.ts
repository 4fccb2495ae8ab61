import { type ChildProcess, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { COMPILE_CACHE } from "../support/compile-cache.ts";
import { NODE_FLAGS, PROGRAM } from "../support/program.ts";

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command as it runs. */
export interface RunningCommand {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when the stream has printed the text. Rejects where it ends without. */
  printed(stream: "stdout" | "stderr", text: string): Promise<void>;
}

/** What commands that are printed begin with: as the wrapper says that it was called. */
const CALLED = { BREAKGLASS_COMMAND: "breakglass" };

/** Starts the command line in a process of its own, in an environment that holds what is given, and the compile cache. */
export function startCommand(
  args: readonly string[],
  {
    environment = {},
    stdin = "",
  }: { environment?: Record<string, string>; stdin?: string | Uint8Array } = {},
): RunningCommand {
  const child = spawn(process.execPath, [...NODE_FLAGS, PROGRAM, ...args], {
    env: { ...COMPILE_CACHE, ...CALLED, ...environment },
    stdio: "pipe",
  });
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const ended = Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on("close", resolve)),
  ]).then(([stdout, stderr, status]) => ({ status, stdout, stderr }));
  // A test that destroys a stream has no use for it; whoever awaits it still sees the rejection.
  ended.catch(() => {});
  return {
    process: child,
    ended,
    printed: (stream, wanted) =>
      new Promise((resolve, reject) => {
        let seen = "";
        child[stream].on("data", (piece: Buffer) => {
          seen += piece;
          if (seen.includes(wanted)) resolve();
        });
        child[stream].on("end", () => reject(new Error(`not printed: ${wanted}; but: ${seen}`)));
      }),
  };
}

/** Runs the command line to its end. */
export function runCommand(...parameters: Parameters<typeof startCommand>): Promise<Ended> {
  return startCommand(...parameters).ended;
}

const MANY = fileURLToPath(new URL("many-commands.ts", import.meta.url));

/** Runs commands to their ends, one after the other, in one process. */
export async function runCommands(commands: readonly (readonly string[])[]): Promise<Ended[]> {
  const child = spawn(process.execPath, [...NODE_FLAGS, MANY, JSON.stringify(commands)], {
    env: { ...COMPILE_CACHE, ...CALLED, BUNDLED_PROGRAM: PROGRAM },
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (stdout === "") throw new Error(`the commands did not end: ${stderr}`);
  return JSON.parse(stdout) as Ended[];
}
