import { availableParallelism } from "node:os";
import type { ConformanceCase } from "./case.ts";
import {
  type FakeDifferences,
  type FakeServer,
  type ScriptedTurn,
  startFakeServer,
} from "./fake-server.ts";
import { onReplicas, ReplicaServers } from "./replica-servers.ts";
import { type CaseResult, runCase } from "./run-case.ts";

/** What is run. */
export interface ConformanceRun {
  readonly cases: readonly ConformanceCase[];
  /** The client under test: a program and its arguments. */
  readonly command: readonly string[];
  readonly protocols: readonly string[];
  /** How many cases are run at once. */
  readonly jobs?: number | undefined;
  /** So many servers on one PostgreSQL are run in place of each. Undefined: one, which needs none. */
  readonly replicas?: number | undefined;
  /** Ends all of it. */
  readonly signal: AbortSignal;
}

/** What a client may speak. */
export const PROTOCOLS: readonly string[] = ["grpc", "grpc-web", "connect"];

/** They wait more than they work. */
const JOBS_A_PROCESSOR = 3;

/**
 * Runs cases over protocols, several at once, and leaves nothing behind.
 *
 * @param onResult - Told of each as it comes out.
 * @returns whether all of them hold.
 * @throws Error where the driver or the fake server cannot be started, and the reason of `signal`.
 */
export async function runConformance(
  {
    cases,
    command,
    protocols,
    signal,
    replicas,
    jobs = availableParallelism() * JOBS_A_PROCESSOR,
  }: ConformanceRun,
  onResult: (result: CaseResult) => void,
): Promise<boolean> {
  await using several = replicas === undefined ? undefined : new ReplicaServers(replicas, signal);
  const start: StartServer = several?.start.bind(several) ?? startFakeServer;
  await using shared = new SharedServer(cases, start);
  const due = protocols.flatMap((protocol) => cases.map((tested) => ({ tested, protocol })));
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  let isSound = true;
  const work = async () => {
    for (let next = due.shift(); next !== undefined; next = due.shift()) {
      both.throwIfAborted();
      const tested = several === undefined ? next.tested : onReplicas(next.tested);
      const server = () => (isAlone(tested) ? ownServer(tested, start) : shared.get());
      const result = await runCase({ ...next, tested, command, server, signal: both });
      signal.throwIfAborted();
      isSound &&= result.problems.length === 0;
      onResult(result);
    }
  };
  const workers = Array.from({ length: jobs }, work);
  try {
    await Promise.all(workers);
  } catch (error) {
    // One cannot be run: the others' processes are ended, and waited for.
    stop.abort(error);
    await Promise.allSettled(workers);
    throw error;
  }
  return isSound;
}

/** Whether a case's server is its own: it is ended, or started otherwise than the others'. */
function isAlone({ server, meanwhile }: ConformanceCase): boolean {
  return server !== undefined || meanwhile.some((action) => ENDINGS.includes(action.do));
}

const ENDINGS: readonly string[] = ["kill", "drain", "start"];

/** As {@link startFakeServer}. */
type StartServer = (
  turns: readonly ScriptedTurn[],
  differences?: FakeDifferences,
) => Promise<FakeServer>;

function ownServer(
  { name, script = [], server }: ConformanceCase,
  start: StartServer,
): Promise<FakeServer> {
  return start([{ prompt: name, steps: script }], server);
}

/** The server of all cases that do nothing to it; started where the first of them wants it. */
class SharedServer implements AsyncDisposable {
  readonly #cases: readonly ConformanceCase[];
  readonly #start: StartServer;
  #server: Promise<FakeServer> | undefined;

  constructor(cases: readonly ConformanceCase[], start: StartServer) {
    this.#cases = cases;
    this.#start = start;
  }

  /** It outlives whoever disposes of what this answers. */
  async get(): Promise<FakeServer> {
    this.#server ??= this.#start(
      this.#cases.flatMap(({ name, script }) =>
        script === undefined ? [] : [{ prompt: name, steps: script }],
      ),
    );
    return { ...(await this.#server), [Symbol.asyncDispose]: async () => {} };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#server?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}
