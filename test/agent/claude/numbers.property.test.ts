import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  toDuration,
  toFinite,
  toInt32,
  toUint32,
  toUint64,
} from "../../../src/agent/claude/numbers.ts";

const numbers = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 64, 2 ** 53 + 2, -0, 0.999, 1e-9),
);

describe("whatever number the agent prints", () => {
  it("fits into the field that it is for, and is the nearest that does", () => {
    const nearest = (n: number, least: number, most: number) =>
      Number.isNaN(n) ? 0 : Math.min(Math.max(Math.trunc(n), least), most);
    const property = fc.property(numbers, (n) => {
      expect(toUint32(n) === nearest(n, 0, 2 ** 32 - 1)).toBe(true);
      expect(toInt32(n) === nearest(n, -(2 ** 31), 2 ** 31 - 1)).toBe(true);
      const count = toUint64(n);
      expect(count).toBe(BigInt.asUintN(64, count));
      if (n >= 0 && n < 2 ** 64) expect(Number(count) === Math.trunc(n)).toBe(true);
      expect(Number.isFinite(toFinite(n))).toBe(true);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it("is a duration that protobuf takes, to the nanosecond", () => {
    const property = fc.property(numbers, (ms) => {
      const duration = toDuration(ms);
      expect(duration === undefined).toBe(Number.isNaN(ms));
      if (duration === undefined) return;
      const bytes = toBinary(DurationSchema, create(DurationSchema, duration));
      const read = fromBinary(DurationSchema, bytes);
      expect(read.nanos).toBeGreaterThanOrEqual(0);
      expect(read.nanos).toBeLessThan(1e9);
      const wanted = Math.min(Math.max(ms, 0), 315_576_000_000_000);
      const error = Math.abs(Number(read.seconds) * 1000 + read.nanos / 1e6 - wanted);
      expect(error).toBeLessThanOrEqual(1e-6 + wanted * 2 ** -50);
    });
    fc.assert(property, { numRuns: 2000 });
  });
});
