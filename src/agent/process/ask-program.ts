import { spawn } from "node:child_process";
import { type LaunchUser, launch } from "./cgroup.ts";

/** How a program is asked something that it answers at once. */
export interface ProgramQuestion {
  readonly path: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Whom it runs as. Undefined: the server's own user. */
  readonly user?: LaunchUser | undefined;
  /** Then it is killed, and what it started in its process group. */
  readonly withinMs: number;
}

/** What it printed on stdout, or why it printed nothing of use: the end of a sentence that begins with its name. */
export type ProgramAnswer = { readonly stdout: string } | { readonly failure: string };

const MAX_OUTPUT = 64 * 1024;

/** Starts a program, outside of every workspace and without input, and takes what it prints. Never rejects. */
export function askProgram(question: ProgramQuestion): Promise<ProgramAnswer> {
  const { environment, withinMs, user } = question;
  const { promise, resolve } = Promise.withResolvers<ProgramAnswer>();
  try {
    const [path, ...args] = launch({ user }, question.path, question.args);
    const child = spawn(path, args, {
      env: environment,
      cwd: "/",
      detached: true,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const end = (answer: ProgramAnswer) => {
      clearTimeout(timer);
      killGroup(child.pid);
      // Whoever it started may hold it open.
      child.stdout?.destroy();
      resolve(answer);
    };
    const late = { failure: `says nothing within ${withinMs / 1000} s` };
    const timer = setTimeout(end, withinMs, late);
    let stdout = "";
    child.stdout?.setEncoding("utf8").on("data", (piece: string) => {
      stdout = (stdout + piece).slice(0, MAX_OUTPUT);
    });
    child.stdout?.on("error", () => {});
    child.on("error", ({ code }: NodeJS.ErrnoException) =>
      end({ failure: `cannot be started: ${code}` }),
    );
    child.on("close", (status, signal) => {
      if (status === 0) end({ stdout });
      else end({ failure: signal === null ? `ends with ${status}` : `was ended by ${signal}` });
    });
  } catch (error) {
    // An argument that no program is given, or no descriptor left.
    resolve({ failure: `cannot be started: ${(error as Error).message}` });
  }
  return promise;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is in it any more.
  }
}
