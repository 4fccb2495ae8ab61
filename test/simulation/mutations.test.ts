import { describe, expect, it } from "vitest";
import { MUTATIONS } from "./mutation.ts";
import { simulate } from "./simulation.ts";

/** As many as are run with the code as it is. */
const SEEDS = 200;

describe("an invariant that is removed on purpose is found, where", () => {
  it.each([...MUTATIONS])(
    "%s",
    async (_what, mutation) => {
      let found: string | undefined;
      for (let seed = 1; seed <= SEEDS && found === undefined; seed++) {
        found = (await simulate(seed, mutation)).violation;
      }
      expect(found).toBeDefined();
    },
    300_000,
  );
});
