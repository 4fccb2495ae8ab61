import { randomInt } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSearchPath } from "../config/environment.ts";
import { type LocalPostgres, startLocalPostgres } from "../replicas/local-postgres.ts";
import type { ReplicaProcess } from "../replicas/replica-process.ts";
import { type Replicas, startReplicas } from "../replicas/replicas.ts";
import type { ConformanceCase } from "./case.ts";
import { type Cut, startCuttingProxy } from "./cutting-proxy.ts";
import {
  type FakeDifferences,
  type FakeServer,
  fakeScript,
  NO_DIFFERENCES,
  type ScriptedTurn,
} from "./fake-server.ts";

/** Of ten connections so many are cut, after up to so many bytes of the server's. */
const CUT_OF_TEN = 7;
const CUT_BYTES = 3000;

/**
 * Starts several fakes on one database, which stand where one does. What is done to the server is done to the one that has the session: it is
 * killed, or drained, and started again on its disk; to all of them where there is no session yet.
 */
export async function startFakeReplicas(
  count: number,
  postgres: LocalPostgres,
  turns: readonly ScriptedTurn[],
  { options, settings }: FakeDifferences = NO_DIFFERENCES,
): Promise<FakeServer> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-kit-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));
  const script = join(root, "script.json");
  await writeFile(script, fakeScript(turns));
  const replicas = cleanup.use(
    await startReplicas({
      ...{ count, root, store: await postgres.createDatabase(), ending: "kill" },
      args: (folder, port) => [
        ...["fake", "--script", script, "--data", join(folder, "data"), "--port", String(port)],
        ...options,
      ],
      environment: () => ({ PATH: readSearchPath(), ...settings }),
      log: () => {},
      signal: new AbortController().signal,
    }),
  );
  const cutting = cleanup.use(await startCuttingProxy(randomCut));
  cutting.forwardTo(replicas.url);
  const owned = cleanup.move();
  return {
    url: replicas.url,
    cutUrl: cutting.url,
    async start() {
      await Promise.all(
        replicas.each.filter(({ isDown }) => isDown).map((replica) => replica.start()),
      );
    },
    async signal() {
      for (const replica of await homesIn(replicas)) replica.drain();
    },
    async end() {
      await Promise.all((await homesIn(replicas)).map((replica) => replica.kill()));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function randomCut(): Cut | undefined {
  if (randomInt(10) >= CUT_OF_TEN) return undefined;
  return { afterBytes: randomInt(CUT_BYTES), ending: randomInt(2) === 0 ? "FIN" : "RST" };
}

/** Those whose disks have workspaces, or all. */
async function homesIn({ each, folders }: Replicas): Promise<readonly ReplicaProcess[]> {
  const names = await Promise.all(
    folders.map((folder) => readdir(join(folder, "data/data/sessions")).catch(() => [])),
  );
  const homes = each.filter((_, index) => names[index]!.length > 0);
  return homes.length > 0 ? homes : each;
}

/** Starts what several fakes are on, with the first that wants it. */
export class ReplicaServers implements AsyncDisposable {
  readonly #count: number;
  readonly #signal: AbortSignal;
  #postgres: Promise<LocalPostgres> | undefined;

  constructor(count: number, signal: AbortSignal) {
    this.#count = count;
    this.#signal = signal;
  }

  /** As `startFakeServer`. Rejects with NoPostgresError where there is none. */
  async start(turns: readonly ScriptedTurn[], differences?: FakeDifferences): Promise<FakeServer> {
    this.#postgres ??= startLocalPostgres(this.#signal);
    return startFakeReplicas(this.#count, await this.#postgres, turns, differences);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#postgres?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}

const RESUMED: readonly string[] = [
  "stream_turn",
  "attach_turn",
  "watch_session",
  "watch_turns",
  "run_turn",
];

/**
 * Whether a case can be run with several servers: where it is about a server at all, for the others' answers are the kit's own; and has
 * none that refuses so many calls of any kind, which each of several would do, the kit's own calls too.
 */
export function isForReplicas({ script, server }: ConformanceCase): boolean {
  const refuses = server?.options.some((option) => /^refuse:[^@]*$/.test(option)) ?? false;
  return script !== undefined && !refuses;
}

/** Whether a case holds as well where more connections are cut than it says: none that counts calls, or messages that open a connection. */
export function canBeCut({
  call,
  calls,
  expect,
  request,
  leave_after_ms,
}: ConformanceCase): boolean {
  const countsCalls = calls !== undefined || expect.calls !== undefined;
  const countsMessages = expect.checkpoints === "exact" || request.text_deltas === true;
  const isTimed = leave_after_ms !== undefined || expect.waits !== undefined;
  return RESUMED.includes(call) && !countsCalls && !countsMessages && !isTimed;
}

/** Where servers go and come back behind others, a client may be done before. */
export function onReplicas(tested: ConformanceCase): ConformanceCase {
  const meanwhile = tested.meanwhile.map((action) =>
    action.do === "start" ? { ...action, optional: true } : action,
  );
  return { ...tested, meanwhile };
}
