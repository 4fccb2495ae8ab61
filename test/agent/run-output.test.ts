import { expect, it } from "vitest";
import type { EventKind } from "../../src/agent/agent.ts";
import { textEvent } from "../../src/agent/events.ts";
import { RunOutput } from "../../src/agent/run-output.ts";
import { MemoryBudget } from "../../src/stream/memory-budget.ts";

const MIB = 1024 * 1024;
const aText = (bytes: number) => textEvent("x".repeat(bytes), { messageId: "m", parentToolId: "" });

it("gives a large batch in parts, each of which is dealt with before the next is asked for", async () => {
  const memory = new MemoryBudget(100 * MIB);
  const output = new RunOutput(() => {});
  output.chargeTo(memory);
  output.charge(6 * MIB);
  const batch: EventKind[] = [100, 2 * MIB, 2 * MIB, 100, 100, 2 * MIB].map(aText);
  output.give(batch);
  output.close();
  const lengths: number[] = [];
  const held: number[] = [];
  for await (const part of output.batches) {
    lengths.push(part.length);
    held.push(memory.taken / MIB);
  }
  expect(lengths).toEqual([1, 1, 1, 2, 1]);
  expect(held).toEqual([6, 6, 6, 6, 6]);
  expect(memory.taken).toBe(0);
});

it("gives a batch that is not large, or empty, as it is", async () => {
  const output = new RunOutput(() => {});
  const batches = [[100, 1000, 5000].map(aText), [], [aText(3 * MIB)]];
  for (const batch of batches) output.give(batch);
  output.close();
  const given: EventKind[][] = [];
  for await (const batch of output.batches) given.push(batch);
  expect(given).toEqual(batches);
});
