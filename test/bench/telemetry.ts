import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { say } from "../../src/drill/script.ts";
import { type Figure, median } from "./figure.ts";
import { startLiveService } from "./live-service.ts";
import { startProgram } from "./program.ts";
import { readFromService, writeFastAgent } from "./throughput.ts";

const ROUNDS = 5;
const TURNS = 25;
const PROMPT = "Say hello.";
const SCRIPT = [{ when: PROMPT, steps: [say("Hello.")] }];
const SILENT = { BREAKGLASS_METRICS: "off" };

/**
 * What it costs to be seen: events a second from an agent that prints as fast as it can, and the time to the first text of a
 * warm CLI, with metrics and with traces that a collector on loopback takes, against the same without either. One after the
 * other in pairs, of which each is the first in turn.
 */
export async function measureTelemetry(): Promise<Figure[]> {
  await using sink = await startProgram(["test/bench/span-sink.ts"], {
    PATH: process.env.PATH ?? "",
  });
  const told = { BREAKGLASS_METRICS: "callers", BREAKGLASS_OTLP_URL: sink.firstLine };
  return [await measureEvents(told), await measureFirstText(told)];
}

async function measureEvents(told: Readonly<Record<string, string>>): Promise<Figure> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-bench-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
  const { agent: BREAKGLASS_AGENT_COMMAND } = await writeFastAgent(root);
  const rateWith = async (settings: Readonly<Record<string, string>>) =>
    (await readFromService({ ...settings, BREAKGLASS_AGENT_COMMAND })).rate;
  const rates = await inPairs(
    ROUNDS,
    () => rateWith(told),
    () => rateWith(SILENT),
  );
  return {
    figure: "events with telemetry",
    value: median(rates.one),
    unit: "events/s",
    limit: median(rates.other),
    bar: { atLeast: 1 / 1.1 },
  };
}

async function measureFirstText(told: Readonly<Record<string, string>>): Promise<Figure> {
  await using seen = await startLiveService(SCRIPT, told);
  await using silent = await startLiveService(SCRIPT, SILENT);
  const sessions = await Promise.all([
    seen.run({ prompt: PROMPT }),
    silent.run({ prompt: PROMPT }),
  ]);
  const timeOf = async ({ run }: typeof seen, { sessionId }: { sessionId: string }) => {
    const { firstTextMs } = await run({ prompt: PROMPT, sessionId });
    if (firstTextMs === undefined) throw new Error("no text came");
    return firstTextMs;
  };
  const times = await inPairs(
    TURNS,
    () => timeOf(seen, sessions[0]),
    () => timeOf(silent, sessions[1]),
  );
  return {
    figure: "first text with telemetry",
    value: median(times.one),
    unit: "ms",
    limit: median(times.other),
    bar: { atMost: 1.1 },
  };
}

/** Measures two things in turn, so that neither is always the first. */
async function inPairs(
  pairs: number,
  one: () => Promise<number>,
  other: () => Promise<number>,
): Promise<{ one: number[]; other: number[] }> {
  const values = { one: [] as number[], other: [] as number[] };
  for (let pair = 0; pair < pairs; pair++) {
    if (pair % 2 === 0) values.one.push(await one());
    values.other.push(await other());
    if (pair % 2 === 1) values.one.push(await one());
  }
  return values;
}
