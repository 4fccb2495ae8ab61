import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import { type Figure, median } from "./figure.ts";
import { answerOf } from "./program.ts";
import { writeRecordedTurn } from "./recorded-turn.ts";
import { startService } from "./service.ts";

const ROUNDS = 3;
const LINES = 40_000;
const STARTS = 100;
const WARM_STARTS = 20;
/** What the audit may add to a turn's start. */
const START_MS = 0.3;

/**
 * What the audit costs: how many events a second come with it and without, of a turn of which every third is a tool call,
 * and what it adds to a turn's start. The two take turns, of the starts one by one: the machine does the same to both.
 */
export async function measureAudit(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-bench-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
  const long = await writeAgent(root, "long", LINES);
  const short = await writeAgent(root, "short", 0);
  const rates = { on: [] as number[], off: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    const both = ["on", "off"] as const;
    // Neither is always the first.
    for (const audit of round % 2 === 0 ? both : both.toReversed()) {
      rates[audit].push(await rateOf(long, audit));
    }
  }
  const starts = await startsOf(short);
  const added = median(starts.on.map((on, pair) => on - starts.off[pair]!));
  return [
    {
      figure: "audit: events with it",
      value: median(rates.on),
      unit: "events/s",
      limit: median(rates.off),
      bar: { atLeast: 0.9 },
    },
    {
      figure: "audit: added to a turn's start",
      value: Math.max(0, added),
      unit: "ms",
      limit: START_MS,
      bar: { atMost: 1 },
    },
    {
      figure: "audit: a turn's start",
      value: median(starts.on),
      unit: "ms",
      limit: median(starts.off),
    },
  ];
}

/** An agent that prints a recorded turn of so many lines. */
async function writeAgent(root: string, name: string, lines: number): Promise<string> {
  const [turn, agent] = [join(root, `${name}.jsonl`), join(root, name)];
  await writeRecordedTurn(turn, lines);
  await writeFile(agent, `#!/bin/sh\nread -r prompt\nexec cat '${turn}'\n`, { mode: 0o755 });
  return agent;
}

async function rateOf(agent: string, audit: "on" | "off"): Promise<number> {
  await using service = await startService({
    ...{ BREAKGLASS_AGENT_COMMAND: agent, BREAKGLASS_AUDIT: audit },
  });
  const read = ["test/bench/counting-client.ts", service.url];
  const { events, seconds } = await answerOf<{ events: number; seconds: number }>(read);
  return events / seconds;
}

/** From RunTurn to the first message, which comes once the turn is on record, in milliseconds: pairs, one of each. */
async function startsOf(agent: string) {
  await using cleanup = new AsyncDisposableStack();
  const starter = async (audit: "on" | "off") => {
    const service = cleanup.use(
      await startService({
        ...{ BREAKGLASS_AGENT_COMMAND: agent, BREAKGLASS_AUDIT: audit },
        ...{ BREAKGLASS_MAX_WARM_PROCESSES: "0", BREAKGLASS_SPARE_PROCESSES: "0" },
      }),
    );
    const connection = openGrpcConnection(service.url, undefined);
    cleanup.defer(() => connection.close());
    const client = createBreakglassClient(connection.transport);
    return async () => {
      const begun = performance.now();
      let first: number | undefined;
      for await (const _ of client.runTurn({ prompt: "go" })) first ??= performance.now() - begun;
      return first!;
    };
  };
  const [on, off] = [await starter("on"), await starter("off")];
  const took = { on: [] as number[], off: [] as number[] };
  for (let n = 0; n < WARM_STARTS + STARTS; n++) {
    // Neither is always the first.
    const pair = n % 2 === 0 ? [await on(), await off()] : [await off(), await on()].toReversed();
    if (n < WARM_STARTS) continue;
    took.on.push(pair[0]!);
    took.off.push(pair[1]!);
  }
  return took;
}
