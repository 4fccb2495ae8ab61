import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { afterLong } from "../../src/stream/long-timer.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

it.each([0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, 1e12])("%d ms are as long as they say", (ms) => {
  let isOver = false;
  afterLong(ms, () => {
    isOver = true;
  });
  vi.advanceTimersByTime(Math.max(0, ms - 1));
  expect(isOver).toBe(ms === 0);
  vi.advanceTimersByTime(1);
  expect(isOver).toBe(true);
});

it("what is taken back never comes, at whichever part of it", () => {
  for (const after of [0, 2 ** 31, 2 ** 32]) {
    const cancel = afterLong(2 ** 33, () => expect.unreachable());
    vi.advanceTimersByTime(after);
    cancel();
    vi.advanceTimersByTime(2 ** 34);
    expect(vi.getTimerCount()).toBe(0);
  }
});
