import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { eventually, processesWith } from "../support/processes.ts";
import { NODE_FLAGS, PROGRAM } from "../support/program.ts";
import { MARKER, type TestEnvironment } from "../support/test-environment.ts";

/** A server in a process of its own, started as an operator might, whose log can be read. */
export async function startServe(
  { variables }: TestEnvironment,
  settings: Record<string, string> = {},
  flags: string[] = [],
) {
  const child = spawn(process.execPath, [...NODE_FLAGS, ...flags, PROGRAM, "serve"], {
    env: { ...variables, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (piece: Buffer) => {
    log += piece;
  });
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  const [line] = await Promise.race([once(child.stdout, "data"), exited]);
  const url = /https?:\/\/\S+/.exec(String(line))?.[0];
  if (url === undefined) throw new Error(`serve did not come up: ${log}`);
  return {
    child,
    url,
    exited,
    log: () => log,
    send: (signal: NodeJS.Signals) => child.kill(signal),
    /** Sends it and waits until the log says what became of it. */
    async told(signal: NodeJS.Signals, words: RegExp) {
      const before = log.length;
      child.kill(signal);
      expect(
        await eventually(
          () => log.slice(before),
          (more) => words.test(more),
        ),
      ).toMatch(words);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Ends a process where the test ends before it. */
export function endedAtLast(child: ChildProcess): Disposable {
  return { [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

export const agentsOf = ({ variables }: TestEnvironment) =>
  processesWith(MARKER, variables[MARKER]!).filter((pid) => commandOf(pid).includes("stream-json"));
export const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8");
