import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ByteTail } from "../../src/stream/byte-tail.ts";
import { NODE_FLAGS } from "../support/program.ts";

/** The root of the repository. */
export const repository = fileURLToPath(new URL("../..", import.meta.url));

/** What no program of a benchmark takes; one that does is killed. */
const LONGEST_MS = 180_000;
const COMPLAINT_BYTES = 8192;

/** A program in a process of its own. It has ended when its scope has. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** What it prints first; the programs here print one line each. */
  readonly firstLine: string;
  /** Ends it at once and without its help. */
  kill(): void;
}

/**
 * Starts a program and waits for its first line.
 *
 * @param args - Node's options, the program and its arguments; paths are relative to the repository.
 * @param command - What to start in place of Node.
 * @throws Error where it ends without a line.
 */
export async function startProgram(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  command = process.execPath,
): Promise<Program> {
  const env = { PATH: process.env.PATH ?? "", ...environment };
  const options = command === process.execPath ? NODE_FLAGS : [];
  const child = spawn(command, [...options, ...args], {
    cwd: repository,
    env,
    timeout: LONGEST_MS,
  });
  child.stdin.end();
  const complaints = new ByteTail(COMPLAINT_BYTES);
  child.stderr.on("data", (chunk: Buffer) => complaints.push(chunk));
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout });
  const printed = once(lines, "line").then(([line]) => line as string);
  const firstLine = await Promise.race([printed, closed.then(() => undefined)]);
  if (firstLine === undefined) {
    throw new Error(`${args.join(" ")} ended without a line:\n${complaints.text}`);
  }
  return {
    pid: child.pid ?? 0,
    firstLine,
    kill: () => void child.kill("SIGKILL"),
    async [Symbol.asyncDispose]() {
      child.kill();
      await closed;
    },
  };
}

/** Runs a program to its first line, which is its answer, as JSON. */
export async function answerOf<T>(args: readonly string[], command?: string): Promise<T> {
  await using program = await startProgram(args, {}, command);
  return JSON.parse(program.firstLine) as T;
}
