import type { Figure } from "../figure.ts";
import {
  type Load,
  loadOf,
  PACED,
  startTurns,
  WritingTurn,
  writePaced,
  writeUnpaced,
} from "../written-load.ts";
import { openBareTable } from "./bare-table.ts";
import { startBenchDatabase } from "./bench-database.ts";

const EVENT_MICROSECONDS = 30;
const APPEND_P99_MS = 10;
const FLAT_OUT = [1000, 100, 1];
const FLAT_OUT_RATE = 50_000;
/** With fewer turns than that each waits for its own commit: what they get is only told. */
const MANY = 100;

/** What an event costs, and how long it takes, with a thousand turns at an even pace; the same of a bare table. */
export async function* measurePaced(): AsyncIterable<Figure> {
  await using database = await startBenchDatabase();
  await using bare = await openBareTable(database.host);
  const { turns, eventsPerSecond } = PACED;
  const bareTurns = Array.from({ length: turns }, () => new WritingTurn(bare.append));
  const limit = await loadOf(bareTurns, writePaced, database.processorMs);
  const load = await loadOf(
    await startTurns(database.store, turns),
    writePaced,
    database.processorMs,
  );
  const name = `postgres, ${turns} turns at ${eventsPerSecond}/s`;
  const beside = (figure: string, of: (load: Load) => number, unit: string): Figure => {
    return { figure: `${name}: ${figure}`, value: of(load), unit, limit: of(limit) };
  };
  const held = (figure: string, value: number, unit: string, bar: number): Figure => {
    return { figure: `${name}: ${figure}`, value, unit, limit: bar, bar: { atMost: 1 } };
  };
  yield held("an event's cost", costOf(load), "µs", EVENT_MICROSECONDS);
  yield beside("an event's cost, beside a bare INSERT of the same", costOf, "µs");
  yield beside("of it in the server, beside the same", clientOf, "µs");
  yield beside("of it in PostgreSQL, beside the same", (of) => of.elsewhereMicroseconds, "µs");
  yield held("an append, p99", load.appendP99Ms, "ms", APPEND_P99_MS);
  yield beside("an append, p50, beside the same", (of) => of.appendP50Ms, "ms");
  yield beside("an append, p99, beside the same", (of) => of.appendP99Ms, "ms");
  yield beside("answers, beside the same", (of) => of.answersPerSecond, "a second");
}

/** How many events a second are recorded where each turn goes on as soon as its last one is; the same of a bare table. */
export async function* measureFlatOut(): AsyncIterable<Figure> {
  for (const turns of FLAT_OUT) {
    await using database = await startBenchDatabase();
    await using bare = await openBareTable(database.host);
    const bareTurns = Array.from({ length: turns }, () => new WritingTurn(bare.append));
    const limit = await loadOf(bareTurns, writeUnpaced, database.processorMs);
    const started = await startTurns(database.store, turns);
    const load = await loadOf(started, writeUnpaced, database.processorMs);
    const figure = `postgres, ${turns} turns flat out`;
    const { eventsPerSecond: value } = load;
    const told = { figure, value, unit: "events/s" };
    yield turns < MANY
      ? { ...told, limit: 1 }
      : { ...told, limit: FLAT_OUT_RATE, bar: { atLeast: 1 } };
    yield {
      ...told,
      figure: `${figure}, beside a bare INSERT of the same`,
      limit: limit.eventsPerSecond,
    };
    yield {
      figure: `${figure}, an event's cost, beside the same`,
      value: costOf(load),
      unit: "µs",
      limit: costOf(limit),
    };
  }
}

function clientOf({ mainMicroseconds, threadMicroseconds }: Load): number {
  return mainMicroseconds + threadMicroseconds;
}

function costOf(load: Load): number {
  return clientOf(load) + load.elsewhereMicroseconds;
}
