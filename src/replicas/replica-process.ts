import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { byDeadline } from "../stream/deadline.ts";
import { ended, endProcess } from "./child-process.ts";

/** One of several servers on a database, in a process and on a disk of its own, which can be killed and started again. */
export interface ReplicaProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Whether it was ended, and not started again. */
  readonly isDown: boolean;
  /** Starts it again on its disk and its ports. It has ended. */
  start(): Promise<void>;
  /** Ends it as a machine that loses its power does. Its agents live on, as far as they can. */
  kill(): Promise<void>;
  /** Asks it to end in good order. It does in its time. */
  drain(): void;
}

/** How one is run. */
export interface ReplicaOptions {
  /** The command: `serve`, or another that says its address as `serve` does. */
  readonly args: (port: number) => readonly string[];
  /** All of its variables. */
  readonly environment: (port: number) => Readonly<Record<string, string>>;
  /** Is told of each line of its log. */
  readonly log: (line: string) => void;
  /**
   * How it ends with whoever started it: drained, and started before where it was killed, for a server that starts again on its disk ends
   * what its agents left running, and nothing else would; or killed, where its agents end with it.
   */
  readonly ending: "drain" | "kill";
}

const START_MS = 120_000;
/** The ladder that stops its agents, the ends of streams, and what is kept of its sessions; on a busy machine. */
const DRAIN_MS = 60_000;
const STDERR_CHARACTERS = 4000;
const PROGRAMS = ["main.ts", "main.js", "../main.ts", "../main.js"];

/** Starts one. Nothing of it runs at its end. */
export async function startReplicaProcess(options: ReplicaOptions): Promise<ReplicaProcess> {
  const port = await freePort();
  const start = () => startProcess(options.args(port), options.environment(port), options.log);
  let child = await start();
  let state: "up" | "draining" | "killed" = "up";
  const replica = {
    url: `http://127.0.0.1:${port}`,
    port,
    get isDown() {
      return state !== "up";
    },
    async start() {
      await ended(child);
      child = await start();
      state = "up";
    },
    async kill() {
      state = "killed";
      await endProcess(child, "SIGKILL", DRAIN_MS);
    },
    drain() {
      state = "draining";
      child.kill("SIGTERM");
    },
    async [Symbol.asyncDispose]() {
      if (options.ending === "kill") return replica.kill();
      if (state === "killed") await replica.start();
      await endProcess(child, "SIGTERM", DRAIN_MS);
    },
  };
  return replica;
}

async function startProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  log: (line: string) => void,
): Promise<ChildProcess> {
  // As this process: from source the client is found by a condition.
  const flags = process.execArgv.filter((flag) => flag.startsWith("--conditions"));
  const child = spawn(process.execPath, [...flags, programPath(), ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    // In a session of its own: Ctrl-C is for whoever started it, who ends it in its turn.
    detached: true,
  });
  let stderr = "";
  child.stderr.on("data", (bytes: Buffer) => {
    stderr = (stderr + bytes).slice(-STDERR_CHARACTERS);
    for (const line of String(bytes).split("\n")) if (line !== "") log(line);
  });
  const first = Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  const [said] = await byDeadline(first, START_MS, []);
  if (!String(said).includes("http://")) {
    await endProcess(child, "SIGKILL", DRAIN_MS);
    throw new Error(`a replica did not come up: ${stderr}`);
  }
  child.stdout.resume();
  return child;
}

/** What this process runs: beside this file, or above, as it was built. */
function programPath(): string {
  const paths = PROGRAMS.map((name) => join(import.meta.dirname, name));
  return paths.find((path) => existsSync(path))!;
}

/** From here on, below those that systems give to connections, which come and go between our look and its start. */
const PORTS = { first: 15_000, end: 32_000 };

/** A port of loopback that nothing listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.first, PORTS.end);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
