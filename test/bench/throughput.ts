import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Figure, median } from "./figure.ts";
import { heldMegabytes, peakMegabytes, resetPeak } from "./memory.ts";
import { answerOf, startProgram } from "./program.ts";
import { RECORDED_LINES, writeRecordedTurn } from "./recorded-turn.ts";
import { startCommand, startService } from "./service.ts";

const ROUNDS = 5;
const MAX_GROWTH_MB = 100;
/** The quarter that is noise yields none; the init and the result yield one each. */
const EVENTS = (RECORDED_LINES * 3) / 4 + 2;

interface Read {
  readonly events: number;
  readonly seconds: number;
}

/**
 * How many events a second come from an agent that prints as fast as it can, through the durable log, to a client, against
 * what the framework alone streams to the same client; and how much memory the server takes for it.
 *
 * Every round has processes of its own, so that neither side is warmer than the other.
 */
export async function measureThroughput(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-bench-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
  const { turn, agent } = await writeFastAgent(root);
  const rates: number[] = [];
  const ceilings: number[] = [];
  const growths: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { rate, growth } = await readFromService({ BREAKGLASS_AGENT_COMMAND: agent });
    rates.push(rate);
    growths.push(growth);
    ceilings.push(await readFromCeiling(turn));
  }
  return [
    {
      figure: "throughput",
      value: median(rates),
      unit: "events/s",
      limit: median(ceilings),
      bar: { atLeast: 0.5 },
    },
    {
      figure: "throughput memory",
      value: Math.max(...growths),
      unit: "MB",
      limit: MAX_GROWTH_MB,
      bar: { atMost: 1 },
    },
  ];
}

/** An agent that prints as fast as it can, and what it prints. */
export async function writeFastAgent(root: string): Promise<{ turn: string; agent: string }> {
  const turn = join(root, "turn.jsonl");
  const agent = join(root, "agent");
  await writeRecordedTurn(turn);
  await writeFile(agent, `#!/bin/sh\nread -r prompt\nexec cat '${turn}'\n`, { mode: 0o755 });
  return { turn, agent };
}

/** How many events a second come from a service's agent, and by how many megabytes the server grows. */
export async function readFromService(
  settings: Readonly<Record<string, string>>,
): Promise<{ rate: number; growth: number }> {
  await using service = await startService(settings);
  const before = heldMegabytes(service.pid);
  resetPeak(service.pid);
  const rate = await rateFrom(service.url);
  return { rate, growth: peakMegabytes(service.pid) - before };
}

async function readFromCeiling(turn: string): Promise<number> {
  const start = await startCommand();
  const options = start.arguments.filter((argument) => argument.startsWith("-"));
  const args = [...options, "test/bench/ceiling-server.ts", turn];
  await using server = await startProgram(args, start.environment);
  return await rateFrom(server.firstLine);
}

async function rateFrom(url: string): Promise<number> {
  const { events, seconds } = await answerOf<Read>(["test/bench/counting-client.ts", url]);
  if (events !== EVENTS) throw new Error(`${events} events came instead of ${EVENTS}`);
  return events / seconds;
}
