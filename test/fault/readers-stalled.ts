import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { quantile } from "../bench/figure.ts";
import { peakMegabytes, resetPeak } from "../bench/memory.ts";
import { type FaultServer, startFaultServer } from "./fault-server.ts";
import type { Ground } from "./ground.ts";
import { holdStreams } from "./readers/holder.ts";
import { faultsOfPlaces } from "./readers/places.ts";
import { settledMegabytes } from "./readers/settled-memory.ts";
import { stallReaders } from "./readers/stalled-readers.ts";
import { createStartGround } from "./readers/start-ground.ts";
import { readWholeTurn, startTurn } from "./readers/turns.ts";
import type { FaultRow } from "./row.ts";
import { faultsWithin, Tally } from "./trials.ts";

/** From so many trials on there are as many readers as promised; the row's unit is the reader. */
const FULL_SCALE_TRIALS = 100;
const READERS = 1000;
const FEW_READERS = 40;
const PAIRS = 5;
const BAR_MB = 150;
const BAR_SLOWER = 0.05;
const TRIAL_MS = 600_000;
const FREE_WITHIN_MS = 30_000;
const STALL_SECONDS = 2;
/** Ended after the time to stall, cut off after as long again, and what a busy machine takes. */
const RELEASED_WITHIN_MS = 2 * STALL_SECONDS * 1000 + 20_000;

/** What is poured before the readers stall, more than they and the kernel take, and what is timed. */
const SIZES = {
  "events of 100 bytes": { bytes: 100, filling: 3000, timed: 20_000, fewTimed: 1000 },
  "events of 1 MB": { bytes: 1_000_000, filling: 4, timed: 80, fewTimed: 5 },
} as const;
type Size = keyof typeof SIZES;

interface Arm {
  readonly ms: number;
  readonly megabytes: number;
  readonly peak: number;
  readonly cutOff: number;
  readonly faults: readonly string[];
}

/** Readers take nothing of what is there for them. */
export const readersStalled: FaultRow = {
  name: "readers-stalled",
  fault:
    "1,000 readers that never read, half over HTTP/1.1 and half over HTTP/2, of small events and of events of 1 MB",
  bar: `less than ${BAR_MB} MB more; the agent at most ${BAR_SLOWER * 100} % slower; others unharmed; all let go of`,
  async run(trials) {
    const tally = new Tally();
    const late: string[] = [];
    const isFull = trials >= FULL_SCALE_TRIALS;
    const readers = isFull ? READERS : FEW_READERS;
    for (const size of Object.keys(SIZES) as Size[]) {
      for (const run of [weigh, endByLimits]) {
        const faults = await faultsWithin(TRIAL_MS, () => run(size, readers, isFull, tally, late));
        tally.trial(faults, `${readers} readers of ${size}`);
      }
    }
    const { outcome } = tally;
    return {
      ...outcome,
      trials: outcome.trials * readers,
      late: [...(outcome.late ?? []), ...late],
    };
  },
};

/** Holds turns with such readers against turns without them, in pairs. */
async function weigh(size: Size, readers: number, isFull: boolean, tally: Tally, late: string[]) {
  await using ground = await createStartGround({
    BREAKGLASS_MAX_CONCURRENT_TURNS: "100",
    BREAKGLASS_MAX_SUBSCRIPTIONS: String(readers + 1),
    BREAKGLASS_READER_STALL_SECONDS: "3600",
  });
  await using server = await startFaultServer(ground);
  const silent = await startTurn(server.url, ["hang"]);
  const { timed, fewTimed } = SIZES[size];
  const run = (count: number) => runArm(ground, server, size, isFull ? timed : fewTimed, count);
  // The first tells what a turn takes of a server that has just started.
  const faults = [...(await run(0)).faults];
  const arms: { without: Arm; with: Arm }[] = [];
  for (let pair = 0; pair < (isFull ? PAIRS : 1); pair++) {
    const first = await run(pair % 2 === 0 ? 0 : readers);
    const second = await run(pair % 2 === 0 ? readers : 0);
    arms.push(pair % 2 === 0 ? { without: first, with: second } : { without: second, with: first });
    faults.push(...first.faults, ...second.faults);
    faults.push(...(await faultsOfPlaces(server.url, [silent], readers, FREE_WITHIN_MS)));
  }
  const more = median(arms.map((pair) => pair.with.megabytes - pair.without.megabytes));
  const peak = median(arms.map((pair) => pair.with.peak - pair.without.peak));
  const slower = median(arms.map((pair) => pair.with.ms / pair.without.ms)) - 1;
  tally.most(`MB more, ${size}`, more);
  tally.most(`MB more at the peak, ${size}`, peak);
  tally.most(`% slower, ${size}`, slower * 100);
  tally.most(`cut off, ${size}`, Math.max(...arms.map((pair) => pair.with.cutOff)));
  if (more > BAR_MB) faults.push(`${more} MB more`);
  if (isFull && slower > BAR_SLOWER) late.push(`the agent is ${slower * 100} % slower: ${size}`);
  return faults;
}

/** Has a turn stall so many readers, and then times how long its agent takes for the rest. */
async function runArm(
  ground: Ground,
  { url, pid }: FaultServer,
  size: Size,
  timed: number,
  readers: number,
): Promise<Arm> {
  const { bytes, filling } = SIZES[size];
  const go = join(ground.root, `go-${randomUUID()}`);
  const steps = [`pour fill ${filling} ${bytes}`, `wait ${go}`, `pour timed ${timed} ${bytes}`];
  const turnId = await startTurn(url, steps);
  await using cleanup = new AsyncDisposableStack();
  const stalled = readers > 0 ? cleanup.use(await stallReaders(url, turnId, readers)) : undefined;
  const healthy = readWholeTurn(url, turnId);
  resetPeak(pid);
  const start = performance.now();
  await writeFile(go, "");
  const { events, faults } = await healthy;
  const ms = performance.now() - start;
  // The session, and the result.
  if (events !== filling + timed + 2) faults.push(`a reader that reads has ${events} events`);
  const megabytes = await settledMegabytes(pid);
  const { over = 0 } = (await stalled?.look()) ?? {};
  return { ms, megabytes, peak: peakMegabytes(pid), cutOff: over, faults };
}

/** Has such readers ended by the limits: all are let go of in time, and who reads is not. */
async function endByLimits(size: Size, readers: number, _isFull: boolean, tally: Tally) {
  await using ground = await createStartGround({
    BREAKGLASS_MAX_SUBSCRIPTIONS: String(readers + 1),
    BREAKGLASS_READER_STALL_SECONDS: String(STALL_SECONDS),
  });
  await using server = await startFaultServer(ground);
  const { url } = server;
  const silent = await startTurn(url, ["hang"]);
  const { bytes, filling } = SIZES[size];
  const turnId = await startTurn(url, [`pour fill ${filling} ${bytes}`, "hang"]);
  const plan = {
    url,
    http: 2,
    turnIds: [turnId],
    streams: 1,
    connections: 1,
    reads: true,
  } as const;
  await using healthy = await holdStreams(plan);
  await using _stalled = await stallReaders(url, turnId, readers);
  const start = performance.now();
  const faults = await faultsOfPlaces(url, [silent], readers, RELEASED_WITHIN_MS);
  tally.time(`all let go of, ${size}`, performance.now() - start);
  const { over, endings } = await healthy.look();
  if (over > 0) faults.push(`a reader that reads was ended: ${JSON.stringify(endings)}`);
  return faults;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
