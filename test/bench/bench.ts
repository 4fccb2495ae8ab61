/**
 * `npm run bench [-- --store postgres] [NAME…]`: measures the service against what the same work takes without it. Prints a line
 * of JSON for each figure; exits 1 where one does not reach its bar. With `--store postgres` it is that store which is measured, in
 * a PostgreSQL of its own on this machine.
 *
 * What is absolute depends on the machine, and on what else it does; ratios do so much less.
 */
import { parseArgs } from "node:util";
import { measureAccessLists } from "./access-lists.ts";
import { measureAudit } from "./audit.ts";
import { measureClientRates } from "./client-rates.ts";
import { measureCommits } from "./commits.ts";
import { measureConsole } from "./console.ts";
import { measureEventCost } from "./event-cost.ts";
import { measureEventStream } from "./event-stream.ts";
import { measureFakeStart } from "./fake-start.ts";
import { measureFar } from "./far.ts";
import { measureFarReplay } from "./far-replay.ts";
import { type Figure, report } from "./figure.ts";
import { measureFirstText } from "./first-text.ts";
import { measureForwarding } from "./forwarding.ts";
import { measureIdleMemory } from "./idle-memory.ts";
import { measureIdleStreams } from "./idle-streams.ts";
import { measureInterrupt } from "./interrupt.ts";
import { measureLatency } from "./latency.ts";
import { measureManyTurns } from "./many-turns.ts";
import { measureOverview } from "./overview.ts";
import { measureFlatOut, measurePaced } from "./postgres/events.ts";
import { measureReplay as measurePostgresReplay } from "./postgres/replay.ts";
import { measureReplay } from "./replay.ts";
import { measureSharedWarm } from "./shared-warm.ts";
import { measureSpareTurn } from "./spare-turn.ts";
import { measureStoreLoad } from "./store-load.ts";
import { measureTelemetry } from "./telemetry.ts";
import { measureThroughput } from "./throughput.ts";
import { measureWarmTurn } from "./warm-turn.ts";

/** Answers with its figures, or with each as soon as it has it. */
type Benchmark = () => Promise<Figure[]> | AsyncIterable<Figure>;

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  throughput: measureThroughput,
  latency: measureLatency,
  "first-text": measureFirstText,
  "warm-turn": measureWarmTurn,
  "spare-turn": measureSpareTurn,
  "shared-warm": measureSharedWarm,
  interrupt: measureInterrupt,
  "idle-memory": measureIdleMemory,
  replay: measureReplay,
  far: measureFar,
  "far-replay": measureFarReplay,
  "many-turns": measureManyTurns,
  "event-cost": measureEventCost,
  "idle-streams": measureIdleStreams,
  "client-rates": measureClientRates,
  "event-stream": measureEventStream,
  commits: measureCommits,
  console: measureConsole,
  store: measureStoreLoad,
  "access-lists": measureAccessLists,
  overview: measureOverview,
  audit: measureAudit,
  "fake-start": measureFakeStart,
  telemetry: measureTelemetry,
  forwarding: measureForwarding,
};

/** By the store that is measured: with SQLite it is the service as a whole. */
const OF_STORES: Readonly<Record<string, Readonly<Record<string, Benchmark>>>> = {
  sqlite: BENCHMARKS,
  postgres: { paced: measurePaced, "flat-out": measureFlatOut, replay: measurePostgresReplay },
};

const { benchmarks, names } = readArguments();
let passed = true;
for (const name of names) {
  const measured = benchmarks[name]!();
  const figures = "then" in measured ? await measured : measured;
  for await (const figure of figures) passed = report(figure) && passed;
}
process.exitCode = passed ? 0 : 1;

function readArguments() {
  try {
    const options = { store: { type: "string", default: "sqlite" } } as const;
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const found = OF_STORES[values.store];
    if (found === undefined) throw new Error("--store takes sqlite or postgres");
    const unknown = positionals.filter((name) => !Object.hasOwn(found, name));
    if (unknown.length > 0) {
      throw new Error(`unknown: ${unknown.join(", ")}; there are ${Object.keys(found).join(", ")}`);
    }
    return { benchmarks: found, names: positionals.length > 0 ? positionals : Object.keys(found) };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
}
