import { Counter, Registry } from "prom-client";
import type { Happenings } from "../happenings.ts";
import { countedTurns } from "./counted-turns.ts";
import { EventLoopDelay } from "./event-loop-delay.ts";
import { registerLoad } from "./load-metrics.ts";
import { registerProcess } from "./process-metrics.ts";
import type { ServerLoad } from "./server-load.ts";
import { TurnSeries } from "./turn-series.ts";

/** How old an answer may be: however many scrape, the numbers are put together once in so long. */
const FRESH_MS = 1000;

/** A server's numbers, for Prometheus. */
export class Metrics implements Disposable {
  /** What has turns and refusals be counted. */
  readonly happenings: Happenings;
  readonly #registry = new Registry();
  readonly #delay = new EventLoopDelay();
  #load: ServerLoad | undefined;
  #text: Promise<string> | undefined;
  #textAt = 0;

  constructor() {
    this.happenings = countedTurns(new TurnSeries(this.#registry));
    registerLoad(this.#registry, () => this.#load);
    registerProcess(this.#registry, this.#delay);
  }

  /** What is asked from now on what the server does. */
  watch(load: ServerLoad): void {
    this.#load = load;
  }

  /** Tells of the spans of traces too. */
  watchSpans(spans: Readonly<Record<"made" | "sent" | "failed", number>>): void {
    new Counter({
      name: "breakglass_trace_spans_total",
      help: "Spans that were made, that the collector took, and that it did not take.",
      ...{ registers: [this.#registry], labelNames: ["outcome"] },
      collect() {
        this.reset();
        for (const [outcome, count] of Object.entries(spans)) this.inc({ outcome }, count);
      },
    });
  }

  /** All of them, as Prometheus' text format has them; at most a second old. */
  read(): Promise<string> {
    const now = performance.now();
    if (this.#text === undefined || now - this.#textAt > FRESH_MS) {
      this.#textAt = now;
      this.#text = this.#registry.metrics();
    }
    return this.#text;
  }

  [Symbol.dispose](): void {
    this.#delay[Symbol.dispose]();
  }
}
