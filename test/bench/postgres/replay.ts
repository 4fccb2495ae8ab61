import { type Figure, median } from "../figure.ts";
import { startTurns, WritingTurn } from "../written-load.ts";
import { openBareTable } from "./bare-table.ts";
import { startBenchDatabase } from "./bench-database.ts";

const ROUNDS = 5;
const EVENTS = 100_000;
const EVENTS_AT_ONCE = 1000;
/** What is read at once: by who follows a turn, and by who looks through one. */
const PAGES = [16, 256].map((kilobytes) => kilobytes * 1024);
const RATE = 50_000;

/** How many events a second of a long turn come out of the store again; the same of a bare table, in pages as long. */
export async function* measureReplay(): AsyncIterable<Figure> {
  await using database = await startBenchDatabase();
  await using bare = await openBareTable(database.host);
  const { store } = database;
  const [turn] = await startTurns(store, 1);
  const bareTurn = new WritingTurn(bare.append);
  for (const writing of [turn!, bareTurn]) {
    for (let left = EVENTS; left > 0; left -= EVENTS_AT_ONCE) await writing.append(EVENTS_AT_ONCE);
  }
  const [first] = await store.readEvents(turn!.turnId, 0, 1);
  const read = async (bytes: number) => {
    for (let last = 0; last < EVENTS; ) {
      last += (await store.readEvents(turn!.turnId, last, bytes)).length;
    }
  };
  for (const bytes of PAGES) {
    const figure = `postgres, replay, ${bytes / 1024} KB a read`;
    const page = Math.ceil(bytes / first!.length);
    const [rates, costs, limits, limitCosts]: number[][] = [[], [], [], []];
    for (let round = 0; round < ROUNDS; round++) {
      const ours = await timed(() => read(bytes), database.processorMs);
      const theirs = await timed(() => bare.read(bareTurn.turnId, page), database.processorMs);
      rates!.push(ours.rate);
      costs!.push(ours.cost);
      limits!.push(theirs.rate);
      limitCosts!.push(theirs.cost);
    }
    const told = { figure, value: median(rates!), unit: "events/s" };
    yield { ...told, limit: RATE, bar: { atLeast: 1 } };
    yield {
      ...told,
      figure: `${figure}, beside a bare SELECT of as many`,
      limit: median(limits!),
    };
    yield {
      figure: `${figure}, an event's cost, beside the same`,
      value: median(costs!),
      unit: "µs",
      limit: median(limitCosts!),
    };
  }
}

/** How many events a second were read, and what each cost in both processes, in microseconds. */
async function timed(read: () => Promise<unknown>, elsewhereMs: () => number) {
  const [started, before, elsewhere] = [performance.now(), process.cpuUsage(), elsewhereMs()];
  await read();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  const cost = (user + system + (elsewhereMs() - elsewhere) * 1000) / EVENTS;
  return { rate: EVENTS / seconds, cost };
}
