import { expect, it } from "vitest";
import { measureSort } from "./hostile-memory.ts";

/** As many as a server takes by default; each sort took more than a GB before it was bounded. */
const AGENTS = 16;
/** Above the bar of the row, for a machine that is busy. */
const MOST_MB = 450;

it.each([
  "large results of tools, idle",
  "a line that does not end",
  "messages of large blocks",
  "lines of many values",
])(
  "agents that print what a server might keep cannot make it grow without bound: %s",
  async (sort) => {
    const { growthMb, faults } = await measureSort(sort, AGENTS);
    expect(faults).toEqual([]);
    expect(growthMb).toBeLessThan(MOST_MB);
  },
  120_000,
);
