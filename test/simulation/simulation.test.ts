import { describe, expect, it } from "vitest";
import { reported } from "./outcome.ts";
import { simulate } from "./simulation.ts";

/** So many are run here; the nightly run has ten thousand: see CONTRIBUTING.md. */
const SEEDS = 200;

describe("replicas on a database, of which anything may be stopped, cut off or lost", () => {
  it(`hold their invariants, in ${SEEDS} simulations`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await simulate(seed);
      expect(outcome.violation, reported(outcome)).toBeUndefined();
    }
  }, 300_000);

  it("do the same again where the seed is the same", async () => {
    const [first, again] = [await simulate(7), await simulate(7)];
    expect(again).toEqual(first);
    expect(first.turns).toBeGreaterThan(5);
    expect(first.acknowledged).toBeGreaterThan(20);
  });
});
