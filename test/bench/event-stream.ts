import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Figure } from "./figure.ts";
import { answerOf, startProgram } from "./program.ts";
import { startPythonLoop } from "./python-loop.ts";
import { RECORDED_LINES, writeRecordedTurn } from "./recorded-turn.ts";
import { startService } from "./service.ts";

const ROUNDS = 4;
const SILENCE_SECONDS = 600;
/** Beside the recorded lines there are the first and the last. */
const LINES = RECORDED_LINES + 2;
/** The quarter that is noise yields no event. */
const SERVICE_EVENTS = (RECORDED_LINES * 3) / 4 + 2;
/** The kinds of old have no results of tools. */
const LOOP_EVENTS = RECORDED_LINES / 2 + 2;

interface Read {
  readonly events: number;
  readonly seconds: number;
}

/** Lines a second. */
interface Rates {
  readonly service: number;
  readonly plain: number;
  /** Of the loop that gives up an agent that is silent. */
  readonly watchful: number;
  /** Of the least that can be done in Node, without keeping anything. */
  readonly bare: number;
  /** The same, where each event is on disk before it is sent. */
  readonly bareKept: number;
}

/**
 * How many lines a second of an agent that prints as fast as it can reach a plain socket as server-sent events, through the
 * durable log, against the loop in Python that the service took the place of: in turn, best of a few. Told beside it is the
 * same loop where it gives up an agent that is silent, and the least that can be done in Node: what no service in it passes.
 */
export async function measureEventStream(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-bench-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
  const turn = join(root, "turn.jsonl");
  const agent = join(root, "agent");
  await writeRecordedTurn(turn);
  await writeFile(agent, `#!/bin/sh\nread -r prompt\nexec cat '${turn}'\n`, { mode: 0o755 });

  const rates: Rates[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const measured = await measureRound(agent, join(root, `${round}.db`));
    if (measured === undefined) {
      process.stderr.write("event-stream is not measured: there is no Python 3.11 or newer\n");
      return [];
    }
    rates.push(measured);
  }
  const best = (whose: keyof Rates) => Math.max(...rates.map((rate) => rate[whose]));
  const figure = "lines as server-sent events";
  const value = best("service");
  const unit = "lines/s";
  return [
    { figure, value, unit, limit: best("plain"), bar: { atLeast: 3 } },
    { figure: `${figure}, against a loop with a time-out`, value, unit, limit: best("watchful") },
    { figure: `${figure}, against a bare loop in Node`, value, unit, limit: best("bare") },
    { figure: `${figure}, against one that keeps them`, value, unit, limit: best("bareKept") },
  ];
}

/** Every round has processes of its own, so that none is warmer than another. Undefined: there is no Python. */
async function measureRound(agent: string, database: string): Promise<Rates | undefined> {
  await using plainLoop = await startPythonLoop(agent);
  if (plainLoop === undefined) return undefined;
  const plain = await rateFrom(plainLoop.firstLine, LOOP_EVENTS);
  await using service = await startService({ BREAKGLASS_AGENT_COMMAND: agent });
  const ours = await rateFrom(service.url, SERVICE_EVENTS);
  await using watchfulLoop = await startPythonLoop(agent, SILENCE_SECONDS);
  const watchful = await rateFrom(watchfulLoop!.firstLine, LOOP_EVENTS);
  const bare = await bareRate(agent);
  const bareKept = await bareRate(agent, database);
  return { plain, service: ours, watchful, bare, bareKept };
}

async function bareRate(...args: readonly string[]): Promise<number> {
  await using loop = await startProgram(["test/bench/bare-loop.ts", ...args]);
  return await rateFrom(loop.firstLine, LOOP_EVENTS);
}

async function rateFrom(url: string, expected: number): Promise<number> {
  const { events, seconds } = await answerOf<Read>(["test/bench/event-stream-reader.ts", url]);
  if (events !== expected) throw new Error(`${events} events came instead of ${expected}`);
  return LINES / seconds;
}
