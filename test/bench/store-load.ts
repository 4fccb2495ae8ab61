import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { TextEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { encodeEvents } from "../../src/turns/encoded-event.ts";
import { newTurnId } from "../../src/turns/identifiers.ts";
import { turnStart } from "../support/turn-start.ts";
import { type Figure, quantile } from "./figure.ts";

const EVENT_TEXT = "the gateway's upstream answers again; ".repeat(6);
const SECONDS = 8;
const WARM_SECONDS = 2;
const TICK_MS = 5;
const PACED = { turns: 1000, eventsPerSecond: 10 };
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

/** What came of a load. */
interface Load {
  readonly loopP99Ms: number;
  readonly eventsPerSecond: number;
  /** Messages of the store's thread, one for each commit. */
  readonly answersPerSecond: number;
  readonly mainMicroseconds: number;
  readonly threadMicroseconds: number;
  readonly appendP50Ms: number;
  readonly appendP99Ms: number;
}

type Write = (turns: readonly WritingTurn[], isOver: () => boolean) => Promise<void>;

async function load(turnCount: number, write: Write): Promise<Load> {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-store-load-"));
  const store = await openSqliteStore(join(folder, "breakglass.db"));
  try {
    const turns = await Promise.all(Array.from({ length: turnCount }, () => startTurn(store)));
    const meter = new Meter();
    let isOver = false;
    for (const turn of turns) turn.meter = meter;
    const writing = write(turns, () => isOver);
    await delay(WARM_SECONDS * 1000);
    meter.reset();
    await delay(SECONDS * 1000);
    const load = meter.read();
    isOver = true;
    await writing;
    return load;
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
}

/** Each turn appends an event as soon as its last one is committed. */
async function writeUnpaced(turns: readonly WritingTurn[], isOver: () => boolean): Promise<void> {
  const writing = turns.map(async (turn) => {
    while (!isOver()) await turn.append();
  });
  await Promise.all(writing);
}

/** The turns append in their order, at an even pace, whether the store keeps up or not. */
async function writePaced(turns: readonly WritingTurn[], isOver: () => boolean): Promise<void> {
  const perMs = (PACED.turns * PACED.eventsPerSecond) / 1000;
  const started = performance.now();
  const pending = new Set<Promise<void>>();
  let appended = 0;
  while (!isOver()) {
    for (const due = (performance.now() - started) * perMs; appended < due; appended++) {
      const append = turns[appended % turns.length]!.append();
      pending.add(append);
      void append.then(() => pending.delete(append));
    }
    await delay(TICK_MS);
  }
  await Promise.all(pending);
}

/** Counts what is committed between two moments, and what that costs. */
class Meter {
  readonly #loop = monitorEventLoopDelay({ resolution: 1 });
  #latencies: number[] = [];
  #answers = 0;
  #answering = false;
  #started = 0;
  #main = process.threadCpuUsage();
  #all = process.cpuUsage();

  reset(): void {
    this.#latencies = [];
    this.#answers = 0;
    this.#loop.reset();
    this.#loop.enable();
    this.#started = performance.now();
    this.#main = process.threadCpuUsage();
    this.#all = process.cpuUsage();
  }

  committed(latencyMs: number): void {
    this.#latencies.push(latencyMs);
    if (this.#answering) return;
    this.#answering = true;
    this.#answers++;
    setImmediate(() => {
      this.#answering = false;
    });
  }

  read(): Load {
    const seconds = (performance.now() - this.#started) / 1000;
    const main = process.threadCpuUsage(this.#main);
    const all = process.cpuUsage(this.#all);
    this.#loop.disable();
    const events = this.#latencies.length;
    const mainMicroseconds = (main.user + main.system) / events;
    return {
      loopP99Ms: Math.max(0, this.#loop.percentile(99) / 1e6 - 1),
      eventsPerSecond: events / seconds,
      answersPerSecond: this.#answers / seconds,
      mainMicroseconds,
      threadMicroseconds: (all.user + all.system) / events - mainMicroseconds,
      appendP50Ms: quantile(this.#latencies, 0.5),
      appendP99Ms: quantile(this.#latencies, 0.99),
    };
  }
}

class WritingTurn {
  meter: Meter | undefined;
  readonly #store: Store;
  readonly #ids: { readonly turnId: string; readonly sessionId: string };
  readonly #kinds: EventKind[];
  #next = 1;

  constructor(store: Store, ids: { turnId: string; sessionId: string }) {
    this.#store = store;
    this.#ids = ids;
    const value = create(TextEventSchema, { text: EVENT_TEXT, messageId: "msg_1" });
    this.#kinds = [{ case: "text", value }];
  }

  async append(): Promise<void> {
    const started = performance.now();
    const firstSequence = this.#next++;
    const time = Date.now();
    const events = encodeEvents(this.#ids, firstSequence, time, this.#kinds);
    const { turnId } = this.#ids;
    await this.#store.append({ turnId, firstSequence, events, time }, this.#store.lease.epoch);
    this.meter?.committed(performance.now() - started);
  }
}

async function startTurn(store: Store): Promise<WritingTurn> {
  const ids = { turnId: newTurnId(), sessionId: randomUUID() };
  const start = turnStart({ turnId: ids.turnId, sentSessionId: ids.sessionId, time: Date.now() });
  await store.createTurn({ ...start, maxSessionTurns: 10_000 }, store.lease.epoch);
  return new WritingTurn(store, ids);
}
