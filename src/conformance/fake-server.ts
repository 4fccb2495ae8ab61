import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { byDeadline } from "../stream/deadline.ts";

/** `breakglass fake` in a process of its own, which can be killed, and started again with the same data at the same port. */
export interface FakeServer extends AsyncDisposable {
  readonly url: string;
  /** The same through what cuts connections at random. Undefined: nothing does. */
  readonly cutUrl?: string;
  /** Starts it again, once it has ended. */
  start(): Promise<void>;
  /** Sends it a signal. */
  signal(signal: NodeJS.Signals): void | Promise<void>;
  /** Sends it a signal, and waits until it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** What the agent does where a prompt is just that. */
export interface ScriptedTurn {
  readonly prompt: string;
  readonly steps: readonly unknown[];
}

/** How the server differs from one without options. */
export interface FakeDifferences {
  /** Of `fake`. */
  readonly options: readonly string[];
  /** Variables of the service. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A server without any. */
export const NO_DIFFERENCES: FakeDifferences = { options: [], settings: {} };

const MAIN = join(import.meta.dirname, `../main${extname(import.meta.filename)}`);
const START_MS = 30_000;
const STDERR_CHARACTERS = 2000;

/** Starts one, whose agent says that another prompt was heard where it is none of the turns'. */
export async function startFakeServer(
  turns: readonly ScriptedTurn[],
  { options, settings }: FakeDifferences = NO_DIFFERENCES,
): Promise<FakeServer> {
  await using cleanup = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "breakglass-kit-"));
  cleanup.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  const script = join(directory, "script.json");
  await writeFile(script, fakeScript(turns));
  const args = ["--script", script, "--data", join(directory, "data"), ...options];
  let process = await startProcess([...args, "--port", "0"], settings);
  cleanup.defer(() => endProcess(process.child, "SIGKILL"));
  const { url } = process;
  const { port } = new URL(url);
  const owned = cleanup.move();
  return {
    url,
    async start() {
      await exited(process.child);
      process = await startProcess([...args, "--port", port], settings);
    },
    signal(signal) {
      process.child.kill(signal);
    },
    end: (signal) => endProcess(process.child, signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A script of turns, in which another prompt is answered too. */
export function fakeScript(turns: readonly ScriptedTurn[]): string {
  const scripted = turns.map(({ prompt, steps }) => ({ when: `/^${prompt}$/`, steps }));
  return JSON.stringify({ turns: [...scripted, { steps: [{ text: "another" }] }] });
}

async function startProcess(
  args: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<{ child: ChildProcess; url: string }> {
  // As this process: from source the client is found by a condition.
  const flags = process.execArgv.filter((flag) => flag.startsWith("--conditions"));
  const child = spawn(process.execPath, [...flags, MAIN, "fake", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    // Only what it is found and started by; the rest of the environment is not the service's.
    env: { ...picked("PATH", "NODE_COMPILE_CACHE"), ...settings },
  });
  let stderr = "";
  child.stderr.on("data", (bytes: Buffer) => {
    stderr = (stderr + bytes).slice(-STDERR_CHARACTERS);
  });
  const first = Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  const said = await byDeadline(first, START_MS, []);
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(String(said[0]))?.[0];
  if (url === undefined) {
    await endProcess(child, "SIGKILL");
    throw new Error(`the fake server did not come up: ${stderr}`);
  }
  child.stdout.resume();
  return { child, url };
}

function picked(...names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await exited(child);
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
