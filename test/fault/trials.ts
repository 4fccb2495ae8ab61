import { setTimeout as delay } from "node:timers/promises";
import type { RowOutcome } from "./row.ts";

/** What trials found, while they are made. */
export class Tally {
  readonly #timings: Record<string, number[]> = {};
  readonly #figures: Record<string, number> = {};
  readonly #failures: string[] = [];
  readonly #late: string[] = [];
  #trials = 0;

  /** Counts a trial and what went wrong in it, each told with where its data is kept. */
  trial(faults: readonly string[], where: string): void {
    this.#trials++;
    if (faults.length > 0) this.#failures.push(`${faults.join("; ")} (see ${where})`);
  }

  /** Takes what went wrong over all trials together. */
  fail(failure: string): void {
    this.#failures.push(failure);
  }

  /** Takes how long something took, in milliseconds, and how long it may take. */
  time(what: string, ms: number, barMs = Infinity): void {
    this.#timings[what] ??= [];
    this.#timings[what].push(ms);
    if (ms > barMs) this.#late.push(`${what} after ${Math.round(ms)} ms, which may be ${barMs}`);
  }

  /** Adds to what is counted. */
  count(what: string, number: number): void {
    this.#figures[what] = (this.#figures[what] ?? 0) + number;
  }

  /** Takes a weight of which the largest counts. */
  most(what: string, number: number): void {
    this.#figures[what] = Math.max(this.#figures[what] ?? number, number);
  }

  /** What was found so far. */
  get outcome(): RowOutcome {
    return {
      trials: this.#trials,
      failures: this.#failures,
      late: this.#late,
      timings: this.#timings,
      figures: this.#figures,
    };
  }
}

/** Hands numbers out until there are no more: what several lanes that work at the same time take their trials from. */
export class Turnstile {
  #left: number;

  constructor(trials: number) {
    this.#left = trials;
  }

  /** Whether there was one more trial to make, which the caller makes. */
  take(): boolean {
    return this.#left-- > 0;
  }
}

/** What `work` finds wrong; what it throws is wrong too, and so is taking longer than `withinMs`. */
export async function faultsWithin(
  withinMs: number,
  work: () => Promise<string[]>,
): Promise<string[]> {
  const over = new AbortController();
  const late = delay(withinMs, [`the trial was not over within ${withinMs / 1000} s`], over);
  try {
    return await Promise.race([work(), late]);
  } catch (error) {
    return [`the trial broke: ${(error as Error).stack ?? String(error)}`];
  } finally {
    over.abort();
    late.catch(() => {});
  }
}
