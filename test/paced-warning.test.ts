import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createLog } from "../src/log.ts";
import { PacedWarning } from "../src/paced-warning.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

it("a warning of a flood is a line at once and one a minute, of as many kinds as a person reads", () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLog((line) => void lines.push(JSON.parse(line).kinds));
  const warning = new PacedWarning(log, "something happened", "kinds");
  warning.count("first");
  expect(lines).toEqual([{ first: 1 }]);
  for (let n = 0; n < 30; n++) warning.count(`kind ${n % 15}`);
  vi.advanceTimersByTime(59_000);
  expect(lines).toHaveLength(1);
  vi.advanceTimersByTime(1000);
  expect(lines).toHaveLength(2);
  expect(Object.keys(lines[1]!)).toHaveLength(11);
  expect(lines[1]).toMatchObject({ "kind 0": 2, others: 10 });
  vi.advanceTimersByTime(600_000);
  expect(lines).toHaveLength(2);
  warning.count("first");
  warning.stop();
  expect(lines[2]).toEqual({ first: 1 });
});
