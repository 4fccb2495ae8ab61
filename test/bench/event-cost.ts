import { type Figure, median } from "./figure.ts";
import { startHeldTurns } from "./held-turns.ts";

const ROUNDS = 3;
const MANY = { turns: 1000, rate: 10 };
const FEW = { turns: 10, rate: 1000 };
const WARM_SECONDS = 4;
const SECONDS = 8;

/**
 * The server's processor time for an event where a thousand turns have ten a second, against where ten turns have a
 * thousand: as many events, but nothing that can be done for many of them at once.
 */
export async function measureEventCost(): Promise<Figure[]> {
  const many: number[] = [];
  const few: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    few.push(await microsecondsPerEvent(FEW));
    many.push(await microsecondsPerEvent(MANY));
  }
  return [
    {
      figure: `event of ${MANY.turns} turns`,
      value: median(many),
      unit: "µs",
      limit: median(few),
      bar: { atMost: 1.5 },
    },
  ];
}

async function microsecondsPerEvent({ turns, rate }: typeof MANY): Promise<number> {
  await using held = await startHeldTurns(turns);
  await held.print(rate, WARM_SECONDS);
  const { processorMs, events } = await held.print(rate, SECONDS);
  return (processorMs * 1000) / events;
}
