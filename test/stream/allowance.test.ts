import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Allowance } from "../../src/stream/allowance.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** How many of so many uses found something. */
function used(allowance: Allowance, times: number): number {
  return Array.from({ length: times }, () => allowance.use()).filter(Boolean).length;
}

it("an allowance gives so many at once, and so many a second", () => {
  const allowance = new Allowance(10, 5);
  expect(used(allowance, 10)).toBe(10);
  expect(allowance.isUsedUp).toBe(true);
  vi.advanceTimersByTime(1000);
  expect(used(allowance, 5)).toBe(5);
  vi.advanceTimersByTime(3_600_000);
  expect(used(allowance, 20)).toBe(10);
});

it("what is used beyond an allowance comes back first, and is no more than it", () => {
  const allowance = new Allowance(10, 5);
  used(allowance, 1000);
  vi.advanceTimersByTime(2000);
  expect(allowance.isUsedUp).toBe(true);
  vi.advanceTimersByTime(1000);
  expect(used(allowance, 20)).toBe(5);
});
