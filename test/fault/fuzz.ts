import { setImmediate as nextTurn } from "node:timers/promises";
import { SeededRandom } from "../support/seeded-random.ts";
import { type FuzzTarget, fuzzByteLines, fuzzIds, fuzzTranslation } from "./fuzz-targets.ts";
import type { FaultRow, RowOutcome } from "./row.ts";

/** 10⁷ at 1,000 trials. */
const INPUTS_A_TRIAL = 10_000;
const MOST_FAILURES = 20;

/** What is fuzzed, and its share of the inputs. */
const TARGETS: readonly { name: string; share: number; take: FuzzTarget }[] = [
  { name: "line reader", share: 0.4, take: fuzzByteLines },
  { name: "parser", share: 0.3, take: fuzzTranslation },
  { name: "ids", share: 0.3, take: fuzzIds },
];

/** Random and mutated input for everything that takes what others wrote. */
export const fuzz: FaultRow = {
  name: "fuzz",
  fault: "random and mutated bytes for the line reader, lines for the parser, and ids",
  bar: "0 crashes in 10⁷",
  run,
};

async function run(trials: number): Promise<RowOutcome> {
  const seed = Date.now() % 2 ** 31;
  const failures: string[] = [];
  const figures: Record<string, number> = { seed };
  let all = 0;
  for (const { name, share, take } of TARGETS) {
    const wanted = Math.ceil(trials * INPUTS_A_TRIAL * share);
    const since = performance.now();
    let done = 0;
    for (let number = 0; done < wanted && failures.length < MOST_FAILURES; number++) {
      // Each has a seed of its own, so that one that failed can be had again without the others.
      const own = (seed + number) | 0;
      try {
        done += take(new SeededRandom(own));
      } catch (error) {
        done++;
        failures.push(`${name}, seed ${own}: ${(error as Error).stack}`);
      }
      // Signals are heard in between.
      if (number % 20_000 === 0) await nextTurn();
    }
    figures[`${name} inputs`] = done;
    figures[`${name} inputs a second`] = Math.round((done / (performance.now() - since)) * 1000);
    all += done;
  }
  return { trials: all, failures, figures };
}
