import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { heldMegabytes } from "./memory.ts";
import { processorMs } from "./processor.ts";
import { type Service, startService } from "./service.ts";
import { openStreams, type StreamReaders } from "./stream-readers.ts";

const AGENT = fileURLToPath(new URL("held-agent.sh", import.meta.url));
const WRITER = fileURLToPath(new URL("line-writer.pl", import.meta.url));
const CONNECTIONS = 10;
/** What starting so many agents left to do is done by then. */
const SETTLE_MS = 2000;
/** The first and last lines of a run, as a share: others are on their way then that are not of the steady state. */
const UNSETTLED_SHARE = 0.1;
const ARRIVE_WITHIN_MS = 60_000;

/** A service with turns that run and print only what they are made to print, each with a stream of its own. */
export interface HeldTurns extends AsyncDisposable {
  readonly service: Service;
  /** The server's memory before the first turn, in megabytes. */
  readonly megabytesBefore: number;
  /** Has every agent print `rate` lines a second for so many seconds, and waits until all have arrived. */
  print(rate: number, seconds: number): Promise<LinesRun>;
}

/** What came of a run of lines. */
export interface LinesRun {
  readonly events: number;
  /** From the writing of a line to its event at the client, in milliseconds. */
  readonly ages: readonly number[];
  /** The server's processor time for all events, in milliseconds. */
  readonly processorMs: number;
  readonly seconds: number;
}

/**
 * Starts a service and so many turns of an agent that costs nothing.
 *
 * @param preload - A module for the server's process to import before its program.
 */
export async function startHeldTurns(turns: number, preload?: string): Promise<HeldTurns> {
  await using cleanup = new AsyncDisposableStack();
  const service = cleanup.use(
    await startService(
      { BREAKGLASS_AGENT_COMMAND: AGENT, BREAKGLASS_MAX_CONCURRENT_TURNS: String(turns) },
      preload === undefined ? [] : [`--import=${preload}`],
    ),
  );
  // Stopping a thousand turns in good order takes a while and is not what is measured.
  cleanup.defer(() => service.kill());
  const megabytesBefore = heldMegabytes(service.pid);
  const readers = cleanup.use(await openStreams(service.url, CONNECTIONS, turns));
  const agents = await agentsOf(service, turns);
  await delay(SETTLE_MS);
  await readers.read();
  const owned = cleanup.move();
  return {
    service,
    megabytesBefore,
    print: (rate: number, seconds: number) => print(service, readers, agents, rate, seconds),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The process ids of the agents, as they gave them; all have come up. */
async function agentsOf({ environment }: Service, turns: number): Promise<string[]> {
  const agents = await readFile(join(environment.HOME ?? "", "agents"), "utf8");
  const pids = agents.split("\n").filter((line) => line !== "");
  if (pids.length !== turns) throw new Error(`${pids.length} of ${turns} agents came up`);
  return pids;
}

async function print(
  { pid }: Service,
  readers: StreamReaders,
  agents: readonly string[],
  rate: number,
  seconds: number,
): Promise<LinesRun> {
  const processorBefore = processorMs(pid);
  const start = performance.now();
  const { stdout } = await promisify(execFile)(WRITER, [String(rate), String(seconds), ...agents]);
  const lines = Number(stdout);
  const ages: number[] = [];
  let events = 0;
  const deadline = performance.now() + ARRIVE_WITHIN_MS;
  while (events < lines) {
    const read = await readers.read();
    ages.push(...read.ages);
    events += read.events;
    if (performance.now() > deadline) throw new Error(`${events} of ${lines} events came`);
    if (events < lines) await delay(20);
  }
  const unsettled = Math.floor(ages.length * UNSETTLED_SHARE);
  return {
    events,
    ages: ages.slice(unsettled, -unsettled),
    processorMs: processorMs(pid) - processorBefore,
    seconds: (performance.now() - start) / 1000,
  };
}
