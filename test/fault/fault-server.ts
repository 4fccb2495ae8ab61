import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import type { Ground } from "./ground.ts";

/** A server of a trial, and how long it took from being spawned to accepting connections. */
export interface FaultServer extends ServeProcess {
  readonly upMs: number;
}

/** How much of its log is told of a server that does not come up. */
const TOLD = 2000;

const living = new Set<number>();
process.once("exit", () => {
  for (const pid of living) process.kill(pid, "SIGKILL");
});

/**
 * Starts a server on a ground's data. Its log goes to `log` in the ground's directory. It does not outlive this process.
 *
 * @throws Error with what it logged, where it does not come up.
 * @param prefix - As `startServeProcess` takes it.
 */
export async function startFaultServer(
  { root, variables }: Ground,
  prefix: readonly string[] = [],
): Promise<FaultServer> {
  const logged = ["sh", "-c", 'exec "$@" 2>>"$0"', join(root, "log")];
  const started = performance.now();
  const server = await startServeProcess(variables, [...logged, ...prefix]).catch(
    async (error: Error) => {
      const told = await readFile(join(root, "log"), "utf8").catch(() => "");
      throw new Error(`${error.message}${told.slice(-TOLD)}`);
    },
  );
  const upMs = performance.now() - started;
  const { url, pid } = server;
  living.add(pid);
  const forget = () => void living.delete(pid);
  return {
    url,
    pid,
    upMs,
    log: server.log,
    exited: server.exited,
    end: (signal) => server.end(signal).finally(forget),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      forget();
    },
  };
}
