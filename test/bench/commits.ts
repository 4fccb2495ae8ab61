import type { Figure } from "./figure.ts";
import { startHeldTurns } from "./held-turns.ts";
import { LOOP_RECORDER, loopDelayOf } from "./served-loop.ts";

const TURNS = 100;
const LINES_PER_SECOND = 20;
const WARM_SECONDS = 3;
const SECONDS = 10;
const P99_MS = 10;

/**
 * How late the server's event loop runs while a hundred turns write: whatever a commit holds up is a part of it.
 */
export async function measureCommits(): Promise<Figure[]> {
  await using held = await startHeldTurns(TURNS, LOOP_RECORDER);
  await held.print(LINES_PER_SECOND, WARM_SECONDS);
  await loopDelayOf(held.service);
  await held.print(LINES_PER_SECOND, SECONDS);
  const { p99 } = await loopDelayOf(held.service);
  return [
    {
      figure: `event loop's delay with ${TURNS} turns, p99`,
      value: p99,
      unit: "ms",
      limit: P99_MS,
      bar: { atMost: 1 },
    },
  ];
}
