import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { costOf, OutputScheduler } from "../../src/agent/output-scheduler.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function readers(count: number) {
  const scheduler = new OutputScheduler();
  const order: number[] = [];
  const all = Array.from({ length: count }, (_, n) => ({
    isPaused: false,
    readOn: () => void order.push(n),
  }));
  const [first, second, third] = all;
  return { scheduler, order, all, first: first!, second: second!, third: third! };
}

describe("long lines", () => {
  function entered(count: number) {
    const made = readers(count);
    return { ...made, entered: made.all.map((each) => made.scheduler.looked(each, 0, true)) };
  }

  it("are read one at a time, in their order, with a rest of nine times as long behind each", () => {
    const { scheduler, first, second, order, ...made } = entered(3);
    expect(made.entered).toEqual([true, false, false]);
    expect(scheduler.looked(first, 100, true)).toBe(true);
    expect(scheduler.looked(first, 0, false)).toBe(true);
    vi.advanceTimersByTime(899);
    expect(order).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(order).toEqual([1]);
    scheduler.forget(second);
    vi.advanceTimersByTime(0);
    expect(order).toEqual([1, 2]);
  });

  it("that do not end have others read after two seconds, unless they have and their turn is at them", () => {
    const { scheduler, first, order } = entered(2);
    first.isPaused = true;
    vi.advanceTimersByTime(10_000);
    expect(order).toEqual([]);
    first.isPaused = false;
    vi.advanceTimersByTime(2001);
    expect(order).toEqual([1]);
    expect(scheduler.looked(first, 0, true)).toBe(false);
  });

  it("of a process that has gone hold nobody up", () => {
    const { scheduler, first, second, order } = entered(3);
    scheduler.forget(second);
    scheduler.forget(first);
    vi.advanceTimersByTime(0);
    expect(order).toEqual([2]);
  });

  it("that hold the thread longer than any slice are so rare that others are late one time in two hundred", () => {
    const { scheduler, first, second, third, order } = readers(3);
    scheduler.looked(first, 0, true);
    scheduler.looked(second, 0, true);
    scheduler.looked(first, 50, true);
    scheduler.looked(third, 0.1, false);
    scheduler.looked(first, 0, false);
    for (let ms = 0; ms < 50 * 199; ms += 100) {
      scheduler.looked(third, 0.1, false);
      expect(order).toEqual([]);
      vi.advanceTimersByTime(100);
    }
    expect(order).toEqual([1]);
  });
});

describe("who prints much", () => {
  it("is not held up where nobody prints little", () => {
    const { scheduler, first, second } = readers(2);
    scheduler.looked(first, 4, false);
    for (let n = 0; n < 100; n++) {
      expect(scheduler.looked(first, 10, false)).toBe(true);
      expect(scheduler.looked(second, 4, false)).toBe(true);
    }
    expect(scheduler.sliceMs(first)).toBe(10);
  });

  it("beside somebody who prints little has a tenth of the thread, all who do together", () => {
    const { scheduler, first, second, third, order } = readers(3);
    scheduler.looked(third, 0.1, false);
    scheduler.looked(first, 4, false);
    scheduler.looked(second, 4, false);
    let costMs = 0;
    for (const start = performance.now(); performance.now() - start < 5000; ) {
      expect(scheduler.looked(third, 0.01, false)).toBe(true);
      for (const n of order.splice(0)) {
        const reader = [first, second][n]!;
        const sliceMs = scheduler.sliceMs(reader);
        expect(sliceMs).toBe(1);
        costMs += sliceMs;
        expect(scheduler.looked(reader, sliceMs, false)).toBe(false);
      }
      vi.advanceTimersByTime(1);
    }
    expect(costMs).toBeGreaterThan(400);
    expect(costMs).toBeLessThan(600);
  });

  it("loses its turn where it prints nothing in it", () => {
    const { scheduler, first, second, third, order } = readers(3);
    scheduler.looked(third, 0.1, false);
    expect(scheduler.looked(first, 4, false)).toBe(false);
    expect(scheduler.looked(second, 4, false)).toBe(false);
    vi.advanceTimersByTime(36);
    expect(order).toEqual([0]);
    vi.advanceTimersByTime(51);
    expect(order).toEqual([0, 1]);
  });

  it("keeps its place where it is asked about again", () => {
    const { scheduler, first, second, third, order } = readers(3);
    scheduler.looked(third, 0.1, false);
    scheduler.looked(first, 4, false);
    scheduler.looked(second, 4, false);
    expect(scheduler.looked(first, 0, false)).toBe(false);
    vi.advanceTimersByTime(36);
    expect(order).toEqual([0]);
  });

  it("prints little again once it has printed little for a while", () => {
    const { scheduler, first, second } = readers(2);
    scheduler.looked(second, 0.1, false);
    expect(scheduler.looked(first, 4, false)).toBe(false);
    vi.advanceTimersByTime(800);
    scheduler.looked(second, 0.1, false);
    expect(scheduler.looked(first, 0.5, false)).toBe(true);
  });
});

describe("who prints much", () => {
  /** Costs so much that it is to wait where anybody prints little. */
  const MUCH_MS = 5;

  it("is held up by nobody who is not there: not by itself, nor by one that is gone, costs nothing, or is long silent", () => {
    const { scheduler, first, second } = readers(2);
    expect(scheduler.looked(first, 0.5, false)).toBe(true);
    expect(scheduler.sliceMs(first)).toBe(10);
    expect(scheduler.sliceMs(second)).toBe(1);
    // It was light itself before.
    expect(scheduler.looked(first, MUCH_MS, false)).toBe(true);
    expect(scheduler.sliceMs(second)).toBe(10);
    scheduler.looked(second, 0, false);
    expect(scheduler.looked(first, MUCH_MS, false)).toBe(true);
    scheduler.looked(second, 0.5, false);
    expect(scheduler.sliceMs(first)).toBe(1);
    scheduler.forget(second);
    expect(scheduler.looked(first, MUCH_MS, false)).toBe(true);
    scheduler.looked(second, 0.1, false);
    vi.advanceTimersByTime(1001);
    expect(scheduler.looked(first, MUCH_MS, false)).toBe(true);
  });

  it("is not alone beside two that print little, each of which is not either", () => {
    const { scheduler, first, second, third } = readers(3);
    scheduler.looked(first, 0.5, false);
    scheduler.looked(second, 0.5, false);
    expect([first, second, third].map((each) => scheduler.sliceMs(each))).toEqual([1, 1, 1]);
  });
});

describe("what an agent's output costs", () => {
  it("is more than looking at it: each line, and each byte", () => {
    expect(costOf(1, 0, 0)).toBe(1);
    expect(costOf(1, 100, 0)).toBeCloseTo(3);
    expect(costOf(1, 100, 1024 * 1024)).toBeCloseTo(8);
  });
});
