import { randomUUID } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { TextEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import type { Store } from "../../src/store/store.ts";
import type { EventBatch } from "../../src/store/writes.ts";
import { encodeEvents } from "../../src/turns/encoded-event.ts";
import { newTurnId } from "../../src/turns/identifiers.ts";
import { turnStart } from "../support/turn-start.ts";
import { quantile } from "./figure.ts";

const EVENT_TEXT = "the gateway's upstream answers again; ".repeat(6);
const SECONDS = 8;
const WARM_SECONDS = 2;
const TICK_MS = 5;
export const PACED = { turns: 1000, eventsPerSecond: 10 };

/** What came of a load. */
export interface Load {
  readonly loopP99Ms: number;
  readonly eventsPerSecond: number;
  /** Turns of the event loop that brought answers: about one for each commit. */
  readonly answersPerSecond: number;
  /** Of the processor, an event. */
  readonly mainMicroseconds: number;
  /** Of this process's other threads. */
  readonly threadMicroseconds: number;
  /** Of other processes that work for the store. */
  readonly elsewhereMicroseconds: number;
  readonly appendP50Ms: number;
  readonly appendP99Ms: number;
}

/** What takes events: a store, or what a store is held against. */
export type Append = (batch: EventBatch) => Promise<unknown>;

type Write = (turns: readonly WritingTurn[], isOver: () => boolean) => Promise<void>;

/**
 * Has turns write for some seconds.
 *
 * @param elsewhereMs - The processor time so far of other processes that work for the store.
 */
export async function loadOf(
  turns: readonly WritingTurn[],
  write: Write,
  elsewhereMs: () => number = () => 0,
): Promise<Load> {
  const meter = new Meter(elsewhereMs);
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
}

/** Each turn appends an event as soon as its last one is committed. */
export async function writeUnpaced(
  turns: readonly WritingTurn[],
  isOver: () => boolean,
): Promise<void> {
  const writing = turns.map(async (turn) => {
    while (!isOver()) await turn.append();
  });
  await Promise.all(writing);
}

/** The turns append in their order, at an even pace, whether the store keeps up or not. */
export async function writePaced(
  turns: readonly WritingTurn[],
  isOver: () => boolean,
): Promise<void> {
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
  readonly #elsewhereMs: () => number;
  #latencies: number[] = [];
  #answers = 0;
  #answering = false;
  #started = 0;
  #main = process.threadCpuUsage();
  #all = process.cpuUsage();
  #elsewhere = 0;

  constructor(elsewhereMs: () => number) {
    this.#elsewhereMs = elsewhereMs;
  }

  reset(): void {
    this.#latencies = [];
    this.#answers = 0;
    this.#loop.reset();
    this.#loop.enable();
    this.#started = performance.now();
    this.#main = process.threadCpuUsage();
    this.#all = process.cpuUsage();
    this.#elsewhere = this.#elsewhereMs();
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
    const elsewhereMs = this.#elsewhereMs() - this.#elsewhere;
    this.#loop.disable();
    const events = this.#latencies.length;
    const mainMicroseconds = (main.user + main.system) / events;
    return {
      loopP99Ms: Math.max(0, this.#loop.percentile(99) / 1e6 - 1),
      eventsPerSecond: events / seconds,
      answersPerSecond: this.#answers / seconds,
      mainMicroseconds,
      threadMicroseconds: (all.user + all.system) / events - mainMicroseconds,
      elsewhereMicroseconds: (elsewhereMs * 1000) / events,
      appendP50Ms: quantile(this.#latencies, 0.5),
      appendP99Ms: quantile(this.#latencies, 0.99),
    };
  }
}

/** A turn that says the same again and again. */
export class WritingTurn {
  meter: Meter | undefined;
  readonly turnId: string;
  readonly #append: Append;
  readonly #sessionId: string;
  readonly #kinds: EventKind[];
  #next = 1;

  constructor(append: Append, turnId: string = newTurnId(), sessionId: string = randomUUID()) {
    this.#append = append;
    this.turnId = turnId;
    this.#sessionId = sessionId;
    const value = create(TextEventSchema, { text: EVENT_TEXT, messageId: "msg_1" });
    this.#kinds = [{ case: "text", value }];
  }

  /** Appends so many events at once. */
  async append(count = 1): Promise<void> {
    const started = performance.now();
    const firstSequence = this.#next;
    this.#next += count;
    const time = Date.now();
    const { turnId } = this;
    const kinds = count === 1 ? this.#kinds : Array(count).fill(this.#kinds[0]);
    const ids = { turnId, sessionId: this.#sessionId };
    const events = encodeEvents(ids, firstSequence, time, kinds);
    await this.#append({ turnId, firstSequence, events, time });
    this.meter?.committed(performance.now() - started);
  }
}

/** Starts turns in a store, each in a session of its own. */
export function startTurns(store: Store, count: number): Promise<WritingTurn[]> {
  return Promise.all(Array.from({ length: count }, () => startTurn(store)));
}

async function startTurn(store: Store): Promise<WritingTurn> {
  const { epoch } = store.lease;
  const [turnId, sessionId] = [newTurnId(), randomUUID()];
  const start = turnStart({ turnId, sentSessionId: sessionId, time: Date.now() });
  await store.createTurn({ ...start, maxSessionTurns: 10_000 }, epoch);
  return new WritingTurn((batch) => store.append(batch, epoch), turnId, sessionId);
}
