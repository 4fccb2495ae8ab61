import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { JsonObject } from "./case-messages.ts";

/** What a driver is told on its stdin: docs/conformance.md has each field. */
export interface DriverInput {
  readonly name: string;
  readonly url: string;
  readonly protocol: string;
  readonly call: string;
  readonly request: JsonObject;
  readonly options: Readonly<Record<string, number>>;
  readonly token?: string | undefined;
  readonly leave_after?: number | undefined;
  readonly leave_after_ms?: number | undefined;
  readonly pause_ms?: number | undefined;
}

/** How a driver's process ended. */
export interface DriverExit {
  /** Its exit status; null: a signal ended it. */
  readonly status: number | null;
  readonly isLate: boolean;
  /** The end of what it wrote to stderr. */
  readonly stderr: string;
}

/** Whatever a client delivers, it is small; a driver that prints without an end is ended. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const STDERR_CHARACTERS = 2000;

/**
 * Runs the client under test once.
 *
 * @param command - The program and its arguments.
 * @param limitMs - It is killed after so long, with all that it started.
 * @param signal - Kills it too.
 * @param onLine - Told of each line that it prints.
 */
export async function runDriver(
  command: readonly string[],
  input: DriverInput,
  limitMs: number,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<DriverExit> {
  signal.throwIfAborted();
  const [program = "", ...args] = command;
  // A group of its own: what it starts, as `npx` does, is ended with it.
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
  let isLate = false;
  const kill = () => killGroup(child);
  const timer = setTimeout(() => {
    isLate = true;
    kill();
  }, limitMs);
  signal.addEventListener("abort", kill);
  try {
    const exited = once(child, "close");
    let stderr = "";
    child.stderr.on("data", (bytes: Buffer) => {
      stderr = (stderr + bytes).slice(-STDERR_CHARACTERS);
    });
    readLines(child.stdout, kill, onLine);
    // One that ends without having read it says so by its exit status.
    child.stdin.on("error", () => {});
    child.stdin.end(`${JSON.stringify(input)}\n`);
    const [status] = await exited;
    return { status: status as number | null, isLate, stderr };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
    kill();
  }
}

function readLines(stdout: Readable, tooMuch: () => void, onLine: (line: string) => void): void {
  let bytes = 0;
  stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_OUTPUT_BYTES) tooMuch();
  });
  createInterface({ input: stdout, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => {
    if (line.trim() !== "") onLine(line);
  });
}

function killGroup({ pid }: ChildProcessByStdio<Writable, Readable, Readable>): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // None of it is left.
  }
}
