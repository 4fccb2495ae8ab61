import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Figure } from "./figure.ts";
import { type Load, loadOf, PACED, startTurns, writePaced, writeUnpaced } from "./written-load.ts";

const UNPACED_TURNS = 100;
const LOOP_P99_MS = 10;
/** What an event may cost in the store for 10,000 a second to leave two cores to everything else. */
const EVENT_MICROSECONDS = 30;

/** The store by itself, as running turns use it: what an event costs on both threads, and what a commit holds up. */
export async function measureStoreLoad(): Promise<Figure[]> {
  const unpaced = await load(UNPACED_TURNS, writeUnpaced);
  const paced = await load(PACED.turns, writePaced);
  const { turns, eventsPerSecond } = PACED;
  const name = `${turns} turns at ${eventsPerSecond} events a second`;
  const told = (figure: string, value: number, unit: string): Figure => {
    return { figure: `store: ${figure}`, value, unit, limit: 1 };
  };
  return [
    {
      ...told(
        `event loop's delay, ${UNPACED_TURNS} turns that always write, p99`,
        unpaced.loopP99Ms,
        "ms",
      ),
      limit: LOOP_P99_MS,
      bar: { atMost: 1 },
    },
    told("events committed by them", unpaced.eventsPerSecond, "a second"),
    told("commits meanwhile", unpaced.answersPerSecond, "a second"),
    {
      ...told(`an event's cost, ${name}`, paced.mainMicroseconds + paced.threadMicroseconds, "µs"),
      limit: EVENT_MICROSECONDS,
      bar: { atMost: 1 },
    },
    told("of it on the main thread", paced.mainMicroseconds, "µs"),
    told("of it on the store's thread", paced.threadMicroseconds, "µs"),
    told(`an append, ${name}, p50`, paced.appendP50Ms, "ms"),
    told(`an append, ${name}, p99`, paced.appendP99Ms, "ms"),
    told(`event loop's delay, ${name}, p99`, paced.loopP99Ms, "ms"),
    told(`commits, ${name}`, paced.answersPerSecond, "a second"),
  ];
}

async function load(turnCount: number, write: typeof writePaced): Promise<Load> {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-store-load-"));
  const store = await openSqliteStore(join(folder, "breakglass.db"));
  try {
    return await loadOf(await startTurns(store, turnCount), write);
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
}
