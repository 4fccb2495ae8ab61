import { spawn } from "node:child_process";
import { once } from "node:events";
import { NODE_FLAGS, PROGRAM } from "./program.ts";

/** A server in a process of its own, for tests that end it as no server ends itself. */
export interface ServeProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** What it has written to its log by now. */
  log(): string;
  /** Resolves, when the process has ended, with its exit status; null: a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Sends a signal and answers, when the process has ended, its exit status; null: the signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts `serve` in an environment of those variables only, and waits until it accepts connections.
 *
 * @param prefix - A program that becomes the server, and its arguments: `["prlimit", "--fsize=1"]`.
 * @param server - Another program that serves and says so as `serve` does, and its arguments.
 */
export async function startServeProcess(
  variables: Readonly<Record<string, string>>,
  prefix: readonly string[] = [],
  server: readonly string[] = [PROGRAM, "serve"],
): Promise<ServeProcess> {
  const [command, ...args] = [...prefix, process.execPath, ...NODE_FLAGS, ...server];
  const child = spawn(command!, args, { env: variables });
  const exited = once(child, "exit");
  const closed = once(child, "close");
  let log = "";
  child.stderr.on("data", (data) => {
    log += String(data);
  });
  const [first] = await Promise.race([once(child.stdout, "data"), exited]);
  const url = /(?:https?:\/\/|unix:)\S+/.exec(String(first))?.[0];
  if (url === undefined) {
    await closed;
    throw new Error(`serve did not come up: ${log}`);
  }
  const status = exited.then(([code]) => code as number | null);
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return status;
  };
  return {
    url,
    pid: child.pid!,
    log: () => log,
    exited: status,
    end,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await end("SIGKILL");
    },
  };
}
