import { type Figure, quantile } from "./figure.ts";
import { type LinesRun, startHeldTurns } from "./held-turns.ts";
import { heldMegabytes } from "./memory.ts";
import { LOOP_RECORDER, loopDelayOf } from "./served-loop.ts";

const TURNS = 1000;
const LINES_PER_SECOND = 10;
const WARM_SECONDS = 5;
const SECONDS = 10;
const P99_MS = 100;
const KILOBYTES_PER_TURN = 100;

/**
 * A thousand turns at once, ten events a second each, with a stream each: how late events come, what a turn holds of the
 * server's memory, and what share of a processor the server takes.
 */
export async function measureManyTurns(): Promise<Figure[]> {
  await using held = await startHeldTurns(TURNS, LOOP_RECORDER);
  await held.print(LINES_PER_SECOND, WARM_SECONDS);
  await loopDelayOf(held.service);
  const run = await held.print(LINES_PER_SECOND, SECONDS);
  const loop = await loopDelayOf(held.service);
  const kilobytes = (heldMegabytes(held.service.pid) - held.megabytesBefore) * 1000;
  const name = `${TURNS} turns`;
  return [
    {
      figure: `${name}, p50`,
      value: quantile(run.ages, 0.5),
      unit: "ms",
      limit: P99_MS,
    },
    {
      figure: `${name}, p99`,
      value: quantile(run.ages, 0.99),
      unit: "ms",
      limit: P99_MS,
      bar: { atMost: 1 },
    },
    {
      figure: `${name}, memory of one`,
      value: kilobytes / TURNS,
      unit: "KB",
      limit: KILOBYTES_PER_TURN,
      bar: { atMost: 1 },
    },
    { figure: `${name}, processors`, value: processors(run), unit: "processors", limit: 1 },
    { figure: `${name}, event loop's delay, p99`, value: loop.p99, unit: "ms", limit: P99_MS },
  ];
}

/** How many processors the server kept busy, on average. */
function processors({ processorMs, seconds }: LinesRun): number {
  return processorMs / 1000 / seconds;
}
